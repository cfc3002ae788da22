//! A Kustomization: what Flux says of a commit, and what it did about it.
use std::collections::BTreeMap;

use anyhow::{Context, bail};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
    discovery,
};
use serde_json::{Value, json};

use crate::node::{Node, eventually};

/// A Kustomization of the node's Flux.
pub struct Kustomization {
    node: Node,
    api: Api<DynamicObject>,
    namespace: String,
    name: String,
}

/// What one reconciliation did to each object: `created`, `configured`, `unchanged`, `skipped`.
pub type Application = BTreeMap<String, String>;

impl Kustomization {
    /// One by name.
    pub fn of(node: &Node, namespace: &str, name: &str) -> Self {
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
            "kustomizations",
        );
        let api = Api::namespaced_with(node.client.clone(), namespace, &resource);
        Self { node: node.clone(), api, namespace: namespace.into(), name: name.into() }
    }

    /// Itself, once it is Ready at `revision`.
    ///
    /// # Errors
    /// It fails, or does not become Ready in time.
    pub async fn applied(&self, revision: &str) -> anyhow::Result<DynamicObject> {
        eventually(&format!("Kustomization {} to be Ready at {revision}", self.name), || async {
            let object = self.api.get(&self.name).await?;
            let described = format!("its status is {:#}", object.data["status"]["conditions"]);
            is_ready(&object, revision).then_some(object).context(described).map(Some)
        })
        .await
    }

    /// What Ready says, once it is False at `revision`.
    ///
    /// # Errors
    /// It does not fail in time.
    pub async fn failed(&self, revision: &str) -> anyhow::Result<String> {
        eventually(&format!("Kustomization {} to fail at {revision}", self.name), || async {
            let object = self.api.get(&self.name).await?;
            let described = format!("its status is {:#}", object.data["status"]["conditions"]);
            let attempted = object.data["status"]["lastAttemptedRevision"] == revision;
            let failure = ready(&object).filter(|ready| attempted && ready["status"] == "False");
            let message = failure.and_then(|ready| ready["message"].as_str()).map(str::to_owned);
            message.context(described).map(Some)
        })
        .await
    }

    /// What the condition `type_` says, once it begins with `beginning`.
    ///
    /// # Errors
    /// It does not in time.
    pub async fn condition(&self, type_: &str, beginning: &str) -> anyhow::Result<String> {
        eventually(&format!("Kustomization {} to say {beginning}", self.name), || async {
            let object = self.api.get(&self.name).await?;
            let message = condition(&object, type_).and_then(|condition| condition["message"].as_str());
            Ok(message.filter(|message| message.starts_with(beginning)).map(str::to_owned))
        })
        .await
    }

    /// Has Flux reconcile it, as `flux reconcile kustomization` does, and waits until it has.
    ///
    /// # Errors
    /// It has not in time.
    pub async fn reconcile(&self) -> anyhow::Result<()> {
        let token = jiff::Timestamp::now().to_string();
        let request = json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": token } } });
        self.api.patch(&self.name, &PatchParams::default(), &Patch::Merge(request)).await?;
        eventually(&format!("Kustomization {} to be reconciled", self.name), || async {
            let object = self.api.get(&self.name).await?;
            let handled = object.data["status"]["lastHandledReconcileAt"] == token.as_str();
            Ok((handled && ready(&object).is_some_and(|ready| ready["status"] != "Unknown")).then_some(()))
        })
        .await
    }

    /// Deletes it and waits until it is gone, with what it applied where it prunes.
    ///
    /// # Errors
    /// It does not go.
    pub async fn delete(&self) -> anyhow::Result<()> {
        self.api.delete(&self.name, &DeleteParams::default()).await?;
        eventually(&format!("Kustomization {} to go", self.name), || async {
            Ok(self.api.get_opt(&self.name).await?.is_none().then_some(()))
        })
        .await
    }

    /// The resource version of each object that it has applied.
    ///
    /// # Errors
    /// One of them is not there.
    pub async fn resource_versions(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let object = self.api.get(&self.name).await?;
        let entries = object.data["status"]["inventory"]["entries"].as_array().context("no inventory")?;
        let mut versions = BTreeMap::new();
        for entry in entries {
            let (id, version) = (text(entry, "id")?, text(entry, "v")?);
            let [namespace, name, group, kind] = id.split('_').collect::<Vec<_>>()[..] else {
                bail!("{id} is no object of an inventory")
            };
            let kind = GroupVersionKind::gvk(group, version, kind);
            let (resource, _) = discovery::pinned_kind(&self.node.client, &kind).await?;
            let objects: Api<DynamicObject> = match namespace {
                "" => Api::all_with(self.node.client.clone(), &resource),
                _ => Api::namespaced_with(self.node.client.clone(), namespace, &resource),
            };
            let stored = objects.get(name).await.with_context(|| format!("{id} was applied"))?;
            versions.insert(id.to_owned(), stored.resource_version().context("no resource version")?);
        }
        Ok(versions)
    }

    /// What each of its reconciliations has applied so far, the first one first, as Flux's log tells it.
    ///
    /// # Errors
    /// There is no log.
    pub async fn applications(&self) -> anyhow::Result<Vec<Application>> {
        let lines = self.logged().await?;
        let applied = lines.iter().filter(|line| line["msg"] == "server-side apply completed");
        applied.map(|line| Ok(serde_json::from_value(line["output"].clone())?)).collect()
    }

    /// What Flux's log says of it, and not of another of its name before it.
    ///
    /// # Errors
    /// There is no log.
    pub async fn logged(&self) -> anyhow::Result<Vec<Value>> {
        let since = self.api.get(&self.name).await?.creation_timestamp().context("no creation timestamp")?.0;
        let log = tokio::fs::read_to_string(self.node.log("kustomize-controller").await?).await?;
        let own = json!({ "name": self.name, "namespace": self.namespace });
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let time = |line: &Value| line["ts"].as_str()?.parse::<jiff::Timestamp>().ok();
        Ok(lines.filter(|line| line["Kustomization"] == own && time(line) >= Some(since)).collect())
    }
}

/// Whether a Kustomization says that `revision` is applied and healthy.
pub fn is_ready(object: &DynamicObject, revision: &str) -> bool {
    let status = &object.data["status"];
    ready(object).is_some_and(|ready| ready["status"] == "True")
        && status["observedGeneration"].as_i64() == object.metadata.generation
        && status["lastAppliedRevision"] == revision
}

fn ready(object: &DynamicObject) -> Option<&Value> {
    condition(object, "Ready")
}

fn condition<'a>(object: &'a DynamicObject, type_: &str) -> Option<&'a Value> {
    object.data["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value[field].as_str().with_context(|| format!("an inventory entry without {field}"))
}
