//! The order in which objects were written, as watches tell it.
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};
use futures::StreamExt;
use komputer_tests::{
    flux::is_ready,
    node::{Node, eventually},
};
use kube::{
    Api, ResourceExt,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt, watcher},
};
use tokio::task::JoinSet;

/// Every version of what a namespace's examples declare, and of its Kustomizations, from now on.
pub struct History {
    versions: Arc<Mutex<Vec<DynamicObject>>>,
    _watches: JoinSet<()>,
}

impl History {
    /// Begins to watch.
    pub fn of(node: &Node, namespace: &str) -> Self {
        let versions = Arc::new(Mutex::new(Vec::new()));
        let mut watches = JoinSet::new();
        for (group, version, kind, plural) in [
            ("komputer.komputer.ai", "v1beta1", "KomputerAgent", "komputeragents"),
            ("komputer.komputer.ai", "v1beta1", "KomputerBudget", "komputerbudgets"),
            ("komputer.komputer.ai", "v1beta1", "KomputerOffice", "komputeroffices"),
            ("komputer.komputer.ai", "v1beta1", "KomputerSquad", "komputersquads"),
            ("komputer.komputer.ai", "v1beta1", "KomputerTask", "komputertasks"),
            ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
        ] {
            let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
            let api = Api::<DynamicObject>::namespaced_with(node.client.clone(), namespace, &resource);
            let versions = Arc::clone(&versions);
            watches.spawn(async move {
                let mut objects = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
                while let Some(object) = objects.next().await {
                    let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
                    versions.extend(object);
                }
            });
        }
        Self { versions, _watches: watches }
    }

    /// That each of `objects`, like `KomputerAgent/ada`, was Ready when `kustomization` first was at `revision`, and had not
    /// always been.
    ///
    /// # Errors
    /// One was not.
    pub async fn was_ready_first(&self, objects: &[String], kustomization: &str, revision: &str) -> anyhow::Result<()> {
        // Watches may be behind, so what is missing yet is waited for; what Flux told too early stays too early.
        eventually("the watches to tell of everything", || async {
            let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            let told = told(&versions, kustomization, revision).context("the Kustomization is not Ready")?;
            for name in objects {
                let own = versions.iter().filter(|object| named(object) == *name);
                let before: Vec<_> = own.filter(|object| written(object) < told).collect();
                let last = before.iter().max_by_key(|object| written(object));
                let last = last.with_context(|| format!("{name} was written after the Kustomization was Ready"))?;
                ensure!(stands(last), "{name} was not Ready when the Kustomization was: {}", last.data["status"]);
                ensure!(before.iter().any(|object| !stands(object)), "{name} was Ready from the beginning");
            }
            Ok(Some(()))
        })
        .await
    }

    /// That the Kustomization `first` was Ready at `revision` before `second` applied anything.
    ///
    /// # Errors
    /// It was not.
    pub async fn went_before(&self, first: &str, revision: &str, second: &str) -> anyhow::Result<()> {
        eventually(&format!("the watches to tell that {second} comes after {first}"), || async {
            let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            let own = versions.iter().filter(|object| named(object) == format!("Kustomization/{second}"));
            let began =
                own.filter(|object| object.data["status"]["lastAttemptedRevision"].is_string()).map(written).min();
            let (told, began) =
                (told(&versions, first, revision).context(first.to_owned())?, began.context(second.to_owned())?);
            ensure!(told < began, "{second} was applied before {first} was Ready");
            Ok(Some(()))
        })
        .await
    }
}

/// When the Kustomization was Ready at `revision` for the first time.
fn told(versions: &[DynamicObject], kustomization: &str, revision: &str) -> Option<u64> {
    let own = versions.iter().filter(|object| named(object) == format!("Kustomization/{kustomization}"));
    own.filter(|object| is_ready(object, revision)).map(written).min()
}

/// When an object's version was written: the apiserver counts all writes together.
fn written(object: &DynamicObject) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(u64::MAX)
}

fn named(object: &DynamicObject) -> String {
    format!("{}/{}", object.types.as_ref().map_or("", |types| &types.kind), object.name_any())
}

/// Ready=True of the generation that the object is at.
fn stands(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let ready = status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
    status["observedGeneration"].as_i64() == object.metadata.generation
        && ready.is_some_and(|ready| ready["status"] == "True")
}
