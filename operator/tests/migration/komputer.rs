//! Komputer as it is installed over the system before it: definitions, rights, and the webhooks in this process.
use std::{fs, sync::Arc};

use http::{HeaderName, HeaderValue};
use komputer_telemetry::{Health, Registry};
use komputer_tests::{
    cluster::LightCluster,
    kustomize::{documents, repository},
    node::eventually,
};
use komputer_webhooks::{
    Admits, Metrics, Objects, References,
    certificates::{Keeper, Lifetimes, Settings, Target},
    routes,
    tls::{HotCertificate, Limits, serve, server_config},
};
use kube::{
    Client, Config, ResourceExt,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

pub const SYSTEM: &str = "komputer-system";

/// Applies what there is no reason to refuse.
pub fn apply(cluster: &LightCluster, items: &[Value]) {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
    cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &list).unwrap();
}

/// Komputer's definitions, which `port` of this machine converts for.
pub fn definitions(port: u16) -> Vec<Value> {
    let mut definitions: Vec<_> = komputer_crds::definitions().unwrap().iter().map(|one| json!(one)).collect();
    for definition in &mut definitions {
        if let Some(client) = definition.pointer_mut("/spec/conversion/webhook/clientConfig") {
            call_by_url(client, port);
        }
    }
    definitions
}

/// What asks `port` before an object is written.
pub fn configuration(port: u16) -> Value {
    let file = repository("kustomize/base/webhooks/validating-webhook-configuration.yaml");
    let mut configuration = documents(&fs::read_to_string(file).unwrap()).unwrap().remove(0);
    for webhook in configuration["webhooks"].as_array_mut().unwrap() {
        call_by_url(&mut webhook["clientConfig"], port);
    }
    configuration
}

/// A light cluster has no Services.
pub fn call_by_url(client: &mut Value, port: u16) {
    let path = client.pointer("/service/path").and_then(Value::as_str).unwrap();
    *client = json!({ "url": format!("https://127.0.0.1:{port}{path}") });
}

/// Converts and admits until the result is dropped; returns once the apiserver trusts it.
pub async fn webhooks(client: Client, port: u16) -> JoinSet<()> {
    let (health, registry) = (Health::default(), Registry::new("komputer-webhooks"));
    let (metrics, served) = (Metrics::new(&registry), Arc::new(HotCertificate::default()));
    let definitions = komputer_crds::definitions().unwrap().into_iter();
    let converted = definitions.filter(|definition| definition.spec.conversion.is_some());
    let targets = converted.map(|definition| Target::Definition(definition.name_any()));
    let settings = Settings {
        namespace: SYSTEM.into(),
        names: vec!["127.0.0.1".into()],
        targets: targets.chain([Target::Configuration("komputer-webhooks".into())]).collect(),
        lifetimes: Lifetimes::default(),
        tick: std::time::Duration::from_millis(200),
    };
    let keeper = Keeper::new(client.clone(), settings, served.clone(), health.check("certificates"), metrics.clone());
    let (objects, watching) = Objects::watch(&client);
    let routes = routes(Arc::new(References::new(objects)), Admits::Anybody, metrics);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run());
    tasks.spawn(watching);
    tasks.spawn(serve(
        listener,
        server_config(served, None).unwrap(),
        routes,
        Limits::default(),
        std::future::pending(),
    ));
    eventually("the webhooks to be ready", || async { Ok(health.failing().is_empty().then_some(())) }).await.unwrap();
    tasks
}

/// Gives the operator's ServiceAccount what users give it.
pub fn grant(cluster: &LightCluster) {
    let access = fs::read_to_string(repository("kustomize/base/operator/access.yaml")).unwrap();
    cluster.kubectl(&["apply", "-n", SYSTEM, "-f", "-"], &access).unwrap();
}

/// A client that may do what the operator may.
pub async fn client_of_operator(cluster: &LightCluster) -> Client {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let user = HeaderValue::from_static("system:serviceaccount:komputer-system:komputer-operator");
    config.headers.push((HeaderName::from_static("impersonate-user"), user));
    Client::try_from(config).unwrap()
}
