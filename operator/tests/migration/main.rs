//! Objects of the system before komputer end up stored in komputer's version: real definitions and webhooks on a real
//! apiserver, and a look into etcd.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod before;
mod document;
mod etcd;
mod komputer;
#[path = "../running/operator.rs"]
mod running;

use futures::{StreamExt, stream};
use k8s_openapi::{
    api::events::v1::Event, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use komputer_crds::validate::Kind;
use komputer_operator::{
    metrics::Metrics,
    migration::{Migration, MigrationError},
    recorder::Recorder,
};
use komputer_telemetry::Registry;
use komputer_tests::{cluster::LightCluster, node::eventually, ports::free_port};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::etcd::{Stored, stored};

const OLD: &str = "komputer.komputer.ai/v1alpha1";
const NEW: &str = "komputer.komputer.ai/v1beta1";
/// More than two pages.
const MEMORIES: usize = 520;

fn api(client: &Client, version: &str, kind: Kind) -> Api<DynamicObject> {
    let resource = GroupVersionKind::gvk(komputer_crds::GROUP, version, kind.name());
    Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&resource, kind.plural()))
}

/// The kinds that the system before komputer has.
fn old_kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Budget | Kind::Task))
}

/// Installs the system before komputer, with objects of each kind in two namespaces.
async fn before(cluster: &LightCluster, client: &Client) {
    komputer::apply(cluster, &before::definitions());
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "").unwrap();
    for namespace in ["a", "b", komputer::SYSTEM] {
        cluster.kubectl(&["create", "namespace", namespace], "").unwrap();
    }
    for namespace in ["a", "b"] {
        komputer::apply(cluster, &before::objects(namespace));
    }
    komputer::apply(cluster, &[before::invalid("a", "invalid")]);
    let resource = GroupVersionKind::gvk(komputer_crds::GROUP, "v1alpha1", "KomputerMemory");
    let resource = ApiResource::from_gvk_with_plural(&resource, "komputermemories");
    let memories = Api::<DynamicObject>::namespaced_with(client.clone(), "a", &resource);
    let create = |index: usize| {
        let (memories, memory) = (memories.clone(), before::memory("a", &format!("memory-{index}")));
        async move { memories.create(&PostParams::default(), &serde_json::from_value(memory).unwrap()).await.unwrap() }
    };
    stream::iter((0..MEMORIES).map(create)).buffer_unordered(16).for_each(|_| async {}).await;
}

/// What v1alpha1's clients read of every object, but for what changes with each write.
async fn read(client: &Client) -> Vec<Value> {
    let mut all = Vec::new();
    for kind in old_kinds() {
        for mut object in api(client, "v1alpha1", kind).list(&ListParams::default()).await.unwrap() {
            object.metadata.resource_version = None;
            // An object that nobody has seen says so in its status, from the first write with komputer's schema on.
            object.data["status"].take();
            object.managed_fields_mut().retain(|entry| entry.subresource.as_deref() != Some("status"));
            all.push(json!(object));
        }
    }
    all
}

async fn stored_versions(client: &Client, kind: Kind) -> Vec<String> {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let name = format!("{}.komputer.komputer.ai", kind.plural());
    definitions.get(&name).await.unwrap().status.unwrap().stored_versions.unwrap()
}

async fn migrate_all(migration: &Migration) {
    for kind in Kind::ALL {
        migration.migrate(kind).await.unwrap();
    }
}

fn of_version<'a>(stored: impl IntoIterator<Item = (&'a String, &'a Stored)>, version: &str) -> Vec<&'a str> {
    stored.into_iter().filter(|(_, one)| one.version == version).map(|(key, _)| key.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_komputer_is_stored_anew_however_often_that_is_interrupted() {
    let cluster = LightCluster::start("migration").expect("a cluster");
    let client = cluster.client().await.unwrap();
    before(&cluster, &client).await;
    let objects = stored(&cluster).await;
    assert!(old_kinds().all(|kind| objects.keys().filter(|key| key.contains(kind.plural())).count() >= 2));
    assert!(objects.len() > MEMORIES && of_version(&objects, OLD).len() == objects.len());
    let expected = read(&client).await;

    let port = free_port();
    komputer::grant(&cluster);
    komputer::apply(&cluster, &komputer::definitions(port));
    komputer::apply(&cluster, &[komputer::configuration(port)]);
    let operator = komputer::client_of_operator(&cluster).await;
    let recorder = Recorder::start(operator.clone(), "test", Metrics::new(&Registry::new("test")));
    let migration = Migration::new(operator, recorder);
    without_webhooks_nothing_is_claimed(&cluster, &client, &migration).await;

    let webhooks = komputer::webhooks(client.clone(), port).await;
    let invalid = before::invalid("a", "another");
    let refused = cluster.try_kubectl(&["create", "-f", "-"], &invalid.to_string()).unwrap();
    assert!(refused.stderr.contains("spec.model"), "{refused:?}");

    interrupted_it_claims_nothing(&cluster, &client, &migration).await;
    of_a_definition_that_changes_meanwhile_it_claims_nothing(&cluster, &client, &migration).await;
    migrate_all(&migration).await;
    let objects = stored(&cluster).await;
    assert_eq!(of_version(&objects, OLD), Vec::<&str>::new());
    assert_eq!(of_version(&objects, NEW).len(), objects.len());
    for kind in Kind::ALL {
        assert_eq!(stored_versions(&client, kind).await, ["v1beta1"], "{}", kind.name());
    }
    let now = read(&client).await;
    for (before, now) in expected.iter().zip(&now) {
        assert_eq!(before, now, "it reads as it did before, with the same managers of fields");
    }
    assert_eq!(expected.len(), now.len());

    again_it_writes_nothing(&cluster, &client, &migration).await;
    people_are_told(&client).await;
    drop(webhooks);
}

/// The apiserver has nobody yet to convert for it.
async fn without_webhooks_nothing_is_claimed(cluster: &LightCluster, client: &Client, migration: &Migration) {
    let before = stored(cluster).await;
    let error = migration.migrate(Kind::Memory).await.unwrap_err().to_string();
    assert!(error.contains("could not list komputermemories") && error.contains("webhook"), "{error}");
    assert_eq!(stored_versions(client, Kind::Memory).await, ["v1alpha1", "v1beta1"]);
    assert_eq!(stored(cluster).await, before);
}

/// How many memories are in the new version, and how many in the old one.
async fn memories(cluster: &LightCluster) -> (usize, usize) {
    let all = stored(cluster).await;
    let memories = all.iter().filter(|(key, _)| key.contains("komputermemories"));
    let (moved, left): (Vec<_>, Vec<_>) = memories.partition(|(_, one)| one.version == NEW);
    (moved.len(), left.len())
}

/// Begins with memories; returns in the middle of it.
async fn begin(cluster: &LightCluster, migration: &Migration) -> JoinHandle<Result<(), MigrationError>> {
    let (before, _) = memories(cluster).await;
    let migration = migration.clone();
    let running = tokio::spawn(async move { migration.migrate(Kind::Memory).await });
    while memories(cluster).await.0 < before + 40 && !running.is_finished() {
        tokio::task::yield_now().await;
    }
    running
}

async fn interrupted_it_claims_nothing(cluster: &LightCluster, client: &Client, migration: &Migration) {
    for _ in 0..2 {
        let running = begin(cluster, migration).await;
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        let (moved, left) = memories(cluster).await;
        assert!(moved > 0 && left > 0, "{moved} of {left}");
        assert_eq!(stored_versions(client, Kind::Memory).await, ["v1alpha1", "v1beta1"]);
    }
}

async fn of_a_definition_that_changes_meanwhile_it_claims_nothing(
    cluster: &LightCluster,
    client: &Client,
    migration: &Migration,
) {
    let running = begin(cluster, migration).await;
    cluster
        .kubectl(&["annotate", "crd", "komputermemories.komputer.komputer.ai", "example.com/changed=now"], "")
        .unwrap();
    let error = running.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("the object has been modified"), "{error}");
    assert_eq!(stored_versions(client, Kind::Memory).await, ["v1alpha1", "v1beta1"]);
}

async fn again_it_writes_nothing(cluster: &LightCluster, client: &Client, migration: &Migration) {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let versions = async || {
        let all = definitions.list(&ListParams::default()).await.unwrap();
        all.iter().map(ResourceExt::resource_version).collect::<Vec<_>>()
    };
    let (before, versions_before) = (stored(cluster).await, versions().await);
    migrate_all(migration).await;
    assert_eq!((stored(cluster).await, versions().await), (before, versions_before));

    // Also where the definition does not say any more that it is done.
    let before = stored(cluster).await;
    let unsure = Patch::Merge(json!({ "status": { "storedVersions": ["v1alpha1", "v1beta1"] } }));
    let params = PatchParams::default();
    for kind in old_kinds() {
        let name = format!("{}.komputer.komputer.ai", kind.plural());
        definitions.patch_status(&name, &params, &unsure).await.unwrap();
    }
    migrate_all(migration).await;
    assert_eq!(stored(cluster).await, before);
    assert_eq!(stored_versions(client, Kind::Memory).await, ["v1beta1"]);
}

async fn people_are_told(client: &Client) {
    let events = Api::<Event>::namespaced(client.clone(), "default");
    let told = || async {
        let all = events.list(&ListParams::default()).await?;
        let of_memories = all.into_iter().filter(|event| {
            event
                .regarding
                .as_ref()
                .is_some_and(|of| of.name.as_deref() == Some("komputermemories.komputer.komputer.ai"))
        });
        let reasons: Vec<_> = of_memories.filter_map(|event| event.reason).collect();
        let expected = ["StorageMigrated", "StorageMigrationFailed"];
        Ok(expected.iter().all(|reason| reasons.iter().any(|found| found == reason)).then_some(()))
    };
    eventually("Events of both outcomes", told).await.unwrap();
}
