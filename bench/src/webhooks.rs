use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::{
    api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use komputer_crds::{v1alpha1, v1beta1::KomputerAgent};
use komputer_tests::{kustomize::repository, node::eventually, ports::free_port};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use reqwest::tls::Certificate;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::{process, summary::Summary};

/// Asks the webhooks, alone and through the apiserver, beside the apiserver without them.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The program `komputer-webhooks`, which this starts.
    #[arg(long)]
    program: PathBuf,
    /// Calls of each kind.
    #[arg(long, default_value_t = 1000)]
    calls: usize,
}

/// Where the webhooks are asked, and one that they are not asked about.
const ASKED: &str = "bench-webhooks";
const EXEMPT: &str = "kube-system";
/// Where the certificates are.
const SYSTEM: &str = "komputer-system";
/// Calls at a time, and objects a call.
const SIZES: [usize; 3] = [1, 10, 100];
const CONFIGURATION: &str = "komputer-webhooks";

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = Client::try_default().await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let url = format!("https://{address}");
    install(&client, &url).await?;
    let server = start(&arguments.program, address)?;
    let webhooks = trusted(&client).await.context("the webhooks are not trusted")?;

    println!("| {} calls each | p50 | p99 | a second |", arguments.calls);
    println!("|---|---|---|---|");
    for at_a_time in SIZES {
        let (webhooks, url) = (&webhooks, &format!("{url}/validate/komputeragents"));
        let review = review();
        let what = format!("admission by the webhooks alone, {at_a_time} at a time");
        measure(&what, arguments.calls, at_a_time, |_| ask(webhooks, url, &review)).await?;
    }
    for objects in SIZES {
        let (webhooks, url) = (&webhooks, &format!("{url}/convert"));
        let review = conversion(objects);
        let what = |how: &str| format!("conversion by the webhooks alone, {objects} objects a call{how}");
        measure(&what(""), arguments.calls, 1, |_| ask(webhooks, url, &review)).await?;
        measure(&what(", without HTTPS"), arguments.calls, 1, |_| async { convert(&review) }).await?;
    }
    for at_a_time in SIZES {
        for (namespace, what) in [(EXEMPT, "without the webhooks"), (ASKED, "with the webhooks")] {
            let api = &Api::<KomputerAgent>::namespaced(client.clone(), namespace);
            let what = format!("an agent is created {what}, {at_a_time} at a time");
            measure(&what, arguments.calls, at_a_time, |index| create(api, at_a_time, index)).await?;
        }
    }
    for objects in SIZES {
        let (stored, old) = (all::<KomputerAgent>(&client), all::<v1alpha1::KomputerAgent>(&client));
        let what = |what: &str| format!("{objects} agents are listed {what}");
        measure(&what("as they are stored"), arguments.calls, 1, |_| list(&stored, objects)).await?;
        measure(&what("as v1alpha1"), arguments.calls, 1, |_| list(&old, objects)).await?;
    }
    let usage = process::usage(server.id().context("the webhooks have ended")?)?;
    println!("\nThe webhooks used {:.0} MB, at most {:.0} MB.", usage.resident, usage.peak);
    clean_up(&client).await
}

/// Makes calls, so many at a time, and prints a row of the table.
async fn measure<'a, F>(what: &str, calls: usize, at_a_time: usize, call: impl Fn(usize) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + 'a,
{
    let timed = |index| {
        let call = call(index);
        async move {
            let begun = Instant::now();
            call.await?;
            anyhow::Ok(begun.elapsed())
        }
    };
    // Connections and caches are warm.
    stream::iter(0..at_a_time)
        .map(|index| timed(calls + index))
        .buffer_unordered(at_a_time)
        .try_collect::<Vec<_>>()
        .await?;
    let begun = Instant::now();
    let took = stream::iter(0..calls).map(timed).buffer_unordered(at_a_time).try_collect::<Vec<Duration>>().await?;
    let (all, summary) = (begun.elapsed(), Summary::of(took));
    let milliseconds = |percent| summary.percentile(percent).as_secs_f64() * 1e3;
    #[allow(clippy::cast_precision_loss)]
    let rate = calls as f64 / all.as_secs_f64();
    println!("| {what} | {:.1} ms | {:.1} ms | {rate:.0} |", milliseconds(50), milliseconds(99));
    Ok(())
}

/// Sends a review, and reads the answer no further than that it is one: the client's own work is not measured.
async fn ask(client: &reqwest::Client, url: &str, review: &Bytes) -> anyhow::Result<()> {
    let answer = client.post(url).body(review.clone()).send().await?.error_for_status()?.bytes().await?;
    let has = |text: &[u8]| answer.windows(text.len()).take(1_000).any(|window| window == text);
    ensure!(has(br#""allowed":true"#) || has(br#""status":"Success""#), "{}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// What the webhooks do with a review, from its bytes to those of the answer.
fn convert(review: &Bytes) -> anyhow::Result<()> {
    let (answer, outcome) = komputer_webhooks::convert(review).map_err(anyhow::Error::msg)?;
    ensure!(outcome == "ok", "the objects are not converted");
    std::hint::black_box(serde_json::to_vec(&answer)?);
    Ok(())
}

async fn create(api: &Api<KomputerAgent>, at_a_time: usize, index: usize) -> anyhow::Result<()> {
    let agent = serde_json::from_value(agent("v1beta1", &format!("bench-{at_a_time}-{index}")))?;
    api.create(&PostParams::default(), &agent).await?;
    Ok(())
}

async fn list<K: Clone + DeserializeOwned + std::fmt::Debug>(api: &Api<K>, objects: usize) -> anyhow::Result<()> {
    let limit = u32::try_from(objects)?;
    ensure!(api.list(&ListParams::default().limit(limit)).await?.items.len() == objects, "there are fewer agents");
    Ok(())
}

fn all<K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>>(client: &Client) -> Api<K> {
    Api::namespaced(client.clone(), ASKED)
}

fn agent(version: &str, name: &str) -> Value {
    let text = "Read the commits since the last tag and write the release notes to RELEASE.md. ".repeat(12);
    let spec = match version {
        "v1alpha1" => json!({
            "instructions": text, "systemPrompt": text, "templateRef": "large", "model": "claude-sonnet-4-6",
            "internalSystemPrompt": text, "role": "worker", "lifecycle": "Sleep", "secrets": ["github", "slack"],
            "storage": { "size": "20Gi" }, "podSpec": { "nodeSelector": { "disk": "ssd" } },
        }),
        _ => json!({
            "instructions": text, "systemPrompt": text, "templateRef": { "name": "large" }, "model": "claude-sonnet-4-6",
            "lifecycle": { "afterTask": "Sleep" }, "secretRefs": [{ "name": "github" }, { "name": "slack" }],
            "storage": { "size": "20Gi" }, "podTemplate": { "spec": { "nodeSelector": { "disk": "ssd" } } },
        }),
    };
    let metadata = json!({ "name": name, "labels": { "team": "docs" } });
    let mut agent = json!({ "kind": "KomputerAgent", "metadata": metadata, "spec": spec });
    agent["apiVersion"] = format!("{}/{version}", komputer_crds::GROUP).into();
    agent
}

fn review() -> Bytes {
    let object = agent("v1beta1", "a");
    let request = json!({ "uid": "1", "operation": "CREATE", "name": "a", "namespace": ASKED, "object": object });
    let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request });
    review.to_string().into()
}

fn conversion(objects: usize) -> Bytes {
    let objects: Vec<_> = (0..objects).map(|index| agent("v1alpha1", &format!("a-{index}"))).collect();
    let version = format!("{}/{}", komputer_crds::GROUP, komputer_crds::STORAGE_VERSION);
    let request = json!({ "uid": "1", "desiredAPIVersion": version, "objects": objects });
    let review = json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request });
    review.to_string().into()
}

fn start(program: &PathBuf, address: SocketAddr) -> anyhow::Result<Child> {
    let health = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(program);
    command.args(["--listen", &address.to_string(), "--health", &health, "--host", "127.0.0.1"]);
    command.env("KOMPUTER_LOG", "error").kill_on_drop(true).spawn().with_context(|| program.display().to_string())
}

/// Installs definitions and configuration, with webhooks that are called by URL.
async fn install(client: &Client, url: &str) -> anyhow::Result<()> {
    for name in [SYSTEM, ASKED] {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        apply(&Api::<Namespace>::all(client.clone()), &namespace).await?;
    }
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    for definition in komputer_crds::definitions()? {
        let mut definition = serde_json::to_value(definition)?;
        if let Some(called) = definition.pointer_mut("/spec/conversion/webhook/clientConfig") {
            *called = json!({ "url": format!("{url}/convert") });
        }
        apply(&definitions, &definition).await?;
    }
    let file = repository("kustomize/base/webhooks/validating-webhook-configuration.yaml");
    let mut configuration: Value = serde_yaml::from_str(&std::fs::read_to_string(file)?)?;
    for webhook in configuration["webhooks"].as_array_mut().context("no webhooks")? {
        let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap_or_default().to_owned();
        webhook["clientConfig"] = json!({ "url": format!("{url}{path}") });
    }
    apply(&Api::<ValidatingWebhookConfiguration>::all(client.clone()), &configuration).await
}

async fn apply<K>(api: &Api<K>, object: &Value) -> anyhow::Result<()>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let Some(name) = object["metadata"]["name"].as_str() else { bail!("an object has no name") };
    api.patch(name, &PatchParams::apply("bench").force(), &Patch::Apply(object)).await?;
    Ok(())
}

/// A client of the webhooks, once the apiserver trusts them everywhere.
async fn trusted(client: &Client) -> anyhow::Result<reqwest::Client> {
    let configurations = Api::<ValidatingWebhookConfiguration>::all(client.clone());
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let bundle = eventually("the caBundles", || async {
        let listed = serde_json::to_value(definitions.list(&ListParams::default()).await?.items)?;
        let called = listed.as_array().into_iter().flatten();
        let called = called.filter_map(|listed| listed.pointer("/spec/conversion/webhook/clientConfig"));
        let is_trusted = called.clone().count() > 0 && called.clone().all(|called| called["caBundle"].is_string());
        let configuration = serde_json::to_value(configurations.get(CONFIGURATION).await?)?;
        let bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str().map(str::to_owned);
        Ok(bundle.filter(|_| is_trusted))
    })
    .await?;
    let roots = Certificate::from_pem_bundle(&BASE64_STANDARD.decode(bundle)?)?;
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only(roots).build()?)
}

async fn clean_up(client: &Client) -> anyhow::Result<()> {
    for namespace in [EXEMPT, ASKED] {
        let agents = Api::<KomputerAgent>::namespaced(client.clone(), namespace);
        agents.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    }
    Api::<Namespace>::all(client.clone()).delete(ASKED, &DeleteParams::default()).await?;
    Api::<ValidatingWebhookConfiguration>::all(client.clone()).delete(CONFIGURATION, &DeleteParams::default()).await?;
    Ok(())
}
