//! With `kustomize/components/cert-manager` the program follows a certificate that somebody else keeps, with the rights that
//! the component leaves it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authority;
mod system;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use komputer_crds::{v1alpha1, v1beta1};
use komputer_tests::node::eventually;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{authority::Authority, system::System};

const DAY: Duration = Duration::from_hours(24);

/// How many calls there have been, and what went wrong.
#[derive(Default)]
struct Calls {
    made: AtomicU32,
    failed: Mutex<Vec<String>>,
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

async fn more(calls: &Calls) {
    let made = calls.made.load(Relaxed);
    eventually("200 calls", || async { Ok((calls.made.load(Relaxed) > made + 200).then_some(())) }).await.unwrap();
}

async fn create_agent(client: &Client) {
    let agents = Api::<v1beta1::KomputerAgent>::default_namespaced(client.clone());
    let spec = v1beta1::KomputerAgentSpec { instructions: Some("i".into()), ..Default::default() };
    let agent = v1beta1::KomputerAgent::new("a", spec);
    let created = || async { Ok(Some(agents.create(&PostParams::default(), &agent).await?)) };
    eventually("the first write", created).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cert_manager_renews_is_followed_without_a_failed_call() {
    let system = System::start().await;
    let mut authority = Authority::new();
    system.is_not_ready("Secret komputer-system/komputer-webhooks-tls: it has no tls.crt and tls.key").await;

    system.keep(&authority, 10 * DAY);
    system.serves(10 * DAY).await;
    system.is_not_ready("has no caBundle that accepts the certificate").await;
    system.inject(&authority);
    system.is_ready().await;
    system.is_accepted().await;

    create_agent(&system.client).await;
    let (calls, mut tasks) = (Arc::new(Calls::default()), JoinSet::new());
    for _ in 0..2 {
        tasks.spawn(call(system.client.clone(), calls.clone()));
    }
    more(&calls).await;
    system.keep(&authority, 20 * DAY);
    system.serves(20 * DAY).await;
    system.is_accepted().await;
    more(&calls).await;

    // As the component has it: the authority's certificate is another, its key is not.
    authority.renew();
    system.keep(&authority, 30 * DAY);
    system.serves(30 * DAY).await;
    system.is_accepted().await;
    more(&calls).await;
    system.inject(&authority);
    more(&calls).await;

    // Somebody replaces the authority: until the apiserver is told to trust it, what it does trust is served.
    let another = Authority::new();
    system.keep(&another, 40 * DAY);
    more(&calls).await;
    system.serves(30 * DAY).await;
    system.is_accepted().await;
    tasks.shutdown().await;
    let (made, failed) = (calls.made.load(Relaxed), calls.failed.lock().unwrap().clone());
    assert!(failed.is_empty(), "{} of {made} calls failed: {:#?}", failed.len(), failed.first());
    system.inject(&another);
    system.serves(40 * DAY).await;
    system.is_ready().await;
    system.is_accepted().await;
    nothing_was_written(&system.client).await;
}

/// The program has no right to write a caBundle, and does not try.
async fn nothing_was_written(client: &Client) {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let definition = definitions.get("komputeragents.komputer.komputer.ai").await.unwrap();
    let managers = definition.metadata.managed_fields.unwrap().into_iter().filter_map(|entry| entry.manager);
    let managers: Vec<_> = managers.collect();
    assert!(!managers.contains(&"komputer-webhooks".into()), "{managers:?}");
    let reviewer = "system:serviceaccount:komputer-system:komputer-webhooks";
    for (group, resource, namespace, verb) in [
        ("apiextensions.k8s.io", "customresourcedefinitions", "", "patch"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "patch"),
        ("", "secrets", "komputer-system", "create"),
        ("", "secrets", "komputer-system", "update"),
    ] {
        let attributes = json!({ "group": group, "resource": resource, "namespace": namespace, "verb": verb });
        let review = json!({ "metadata": {}, "spec": { "user": reviewer, "resourceAttributes": attributes } });
        let reviews = Api::<k8s_openapi::api::authorization::v1::SubjectAccessReview>::all(client.clone());
        let review = reviews.create(&PostParams::default(), &serde_json::from_value(review).unwrap()).await.unwrap();
        assert!(!review.status.unwrap().allowed, "it may {verb} {resource}");
    }
}
