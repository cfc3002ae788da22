//! Certificates are renewed while the apiserver calls, by replicas that know nothing of each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::ValidatingWebhookConfiguration,
        core::v1::{Namespace, Secret},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use komputer_crds::{v1alpha1, v1beta1};
use komputer_telemetry::{Health, Registry};
use komputer_tests::{cluster::LightCluster, node::eventually};
use komputer_webhooks::{
    Admits, Metrics, Objects, References,
    certificates::{Keeper, Lifetimes, Settings, Target},
    routes,
    tls::{HotCertificate, Limits, serve, server_config},
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

const DEFINITION: &str = "komputeragents.komputer.komputer.ai";
const CONFIGURATION: &str = "komputer-webhooks";
const SECRET: &str = "komputer-webhooks-certificates";

/// How many calls of each kind there have been, and what went wrong.
#[derive(Default)]
struct Calls {
    made: AtomicU32,
    failed: std::sync::Mutex<Vec<String>>,
}

/// A replica on a port of its own.
async fn replica(client: Client, tasks: &mut JoinSet<()>) -> (u16, Health) {
    let (health, registry) = (Health::default(), Registry::new("komputer-webhooks"));
    let (metrics, served) = (Metrics::new(&registry), Arc::new(HotCertificate::default()));
    let settings = Settings {
        namespace: "default".into(),
        names: vec!["127.0.0.1".into()],
        targets: vec![Target::Definition(DEFINITION.into()), Target::Configuration(CONFIGURATION.into())],
        lifetimes: Lifetimes { settle: Duration::from_secs(1), retire: Duration::from_secs(2), ..Lifetimes::default() },
        tick: Duration::from_millis(200),
    };
    let keeper = Keeper::new(client.clone(), settings, served.clone(), health.check("certificates"), metrics.clone());
    let (objects, watching) = Objects::watch(&client);
    let routes = routes(Arc::new(References::new(objects)), Admits::Anybody, metrics);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(keeper.run());
    tasks.spawn(watching);
    tasks.spawn(serve(
        listener,
        server_config(served, None).unwrap(),
        routes,
        Limits::default(),
        std::future::pending(),
    ));
    (port, health)
}

/// The definition is converted by one replica and the configuration asks the other.
async fn install(client: &Client, converts: u16, admits: u16) {
    let mut definition =
        komputer_crds::definitions().unwrap().into_iter().find(|crd| crd.spec.names.kind == "KomputerAgent").unwrap();
    let conversion =
        definition.spec.conversion.as_mut().unwrap().webhook.as_mut().unwrap().client_config.as_mut().unwrap();
    (conversion.service, conversion.url) = (None, Some(format!("https://127.0.0.1:{converts}/convert")));
    let configuration: ValidatingWebhookConfiguration = serde_json::from_value(json!({
        "metadata": { "name": CONFIGURATION },
        "webhooks": [{
            "name": DEFINITION, "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "clientConfig": { "url": format!("https://127.0.0.1:{admits}/validate/komputeragents") },
            "rules": [{
                "apiGroups": ["komputer.komputer.ai"], "apiVersions": ["v1beta1"], "operations": ["*"], "resources": ["komputeragents"],
            }],
        }],
    }))
    .unwrap();
    Api::<CustomResourceDefinition>::all(client.clone()).create(&PostParams::default(), &definition).await.unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &configuration).await.unwrap();
}

/// Reads through the old version and writes through the new one, which asks both webhooks, until it is dropped.
async fn call(client: Client, calls: Arc<Calls>) {
    let old = Api::<v1alpha1::KomputerAgent>::default_namespaced(client.clone());
    let new = Api::<v1beta1::KomputerAgent>::default_namespaced(client);
    let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
    loop {
        let instructions = format!("number {}", calls.made.load(Relaxed));
        let patch = Patch::Merge(json!({ "spec": { "instructions": instructions } }));
        let results = [old.get("a").await.map(drop), new.patch("a", &dry_run, &patch).await.map(drop)];
        calls.made.fetch_add(2, Relaxed);
        calls.failed.lock().unwrap().extend(results.into_iter().filter_map(|result| Some(result.err()?.to_string())));
    }
}

async fn data(secrets: &Api<Secret>) -> Option<Value> {
    let data = secrets.get_opt(SECRET).await.unwrap()?.data?;
    Some(
        data.into_iter()
            .map(|(key, ByteString(bytes))| (key, Value::from(String::from_utf8(bytes).unwrap())))
            .collect(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_the_authority_changes() {
    let cluster = LightCluster::start("rotation").expect("a cluster");
    let client = cluster.client().await.unwrap();
    eventually("the default namespace", || async {
        Ok(Api::<Namespace>::all(client.clone()).get_opt("default").await?.map(drop))
    })
    .await
    .unwrap();
    let mut tasks = JoinSet::new();
    let first = Box::pin(replica(client.clone(), &mut tasks)).await;
    let second = Box::pin(replica(client.clone(), &mut tasks)).await;
    install(&client, first.0, second.0).await;
    for health in [first.1, second.1] {
        let ready = || async { Ok(health.failing().is_empty().then_some(())) };
        eventually("a replica to be ready", ready).await.unwrap();
    }
    let agents = Api::<v1beta1::KomputerAgent>::default_namespaced(client.clone());
    let spec = v1beta1::KomputerAgentSpec { instructions: Some("i".into()), ..Default::default() };
    let created = || async {
        Ok(Some(agents.create(&PostParams::default(), &v1beta1::KomputerAgent::new("a", spec.clone())).await?))
    };
    eventually("the first write", created).await.unwrap();

    let calls = Arc::new(Calls::default());
    for _ in 0..2 {
        tasks.spawn(call(client.clone(), calls.clone()));
    }
    let secrets = Api::<Secret>::default_namespaced(client.clone());
    let mut authorities = vec![data(&secrets).await.unwrap()["ca.crt"].clone()];
    for _ in 0..2 {
        let made = calls.made.load(Relaxed);
        // What people do to have new certificates; replicas do the same by themselves near the authority's end.
        secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
        let steady = || async {
            let Some(data) = data(&secrets).await else { return Ok(None) };
            let new = !authorities.contains(&data["ca.crt"]) && data.get("ca-old.crt").is_none();
            Ok(new.then(|| data["ca.crt"].clone()))
        };
        authorities.push(eventually("another authority alone", steady).await.unwrap());
        eventually("500 calls", || async { Ok((calls.made.load(Relaxed) > made + 500).then_some(())) }).await.unwrap();
    }
    tasks.shutdown().await;
    let (made, failed) = (calls.made.load(Relaxed), calls.failed.lock().unwrap());
    assert!(failed.is_empty(), "{} of {made} calls failed: {:#?}", failed.len(), failed.first());
    println!("{made} calls, none failed, through {} authorities", authorities.len());
}
