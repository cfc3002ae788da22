//! What is stored in another version than the storage version is stored anew.
//!
//! An apiserver reads objects in whichever version they were stored, and writes them in the storage version of their
//! definition. A write that changes nothing therefore moves an object; once all are moved, the definition may say that the
//! other version is stored no more
//! (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#upgrade-existing-objects-to-a-new-stored-version>).
//! Objects of the system before komputer are stored in v1alpha1.
//!
//! Nothing is remembered between attempts: what is stored as it should be is not written again, so starting over is safe
//! and costs reads alone. Field managers of the older version stay as they are, because it is still served.
use std::time::Duration;

use backon::{BackoffBuilder, Retryable};
use futures::{StreamExt, stream};
use http::{HeaderValue, header::ACCEPT};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use komputer_crds::{GROUP, validate::Kind};
use komputer_events::bus::retry_policy;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, Request},
    core::{GroupVersionKind, Object, PartialObjectMeta},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    carry_out::{METADATA, STATUS_MANAGER, TIMEOUT, is_not_found, words},
    plan::{Report, Severity},
    recorder::Recorder,
    step::Step,
};

/// Objects of one list; the apiserver has all of them converted in one call.
const PAGE: u32 = 100;
/// Writes at the same time; agents' own go on meanwhile.
const IN_FLIGHT: usize = 4;
/// How often a write is tried that others' writes get ahead of.
const CONFLICTS: usize = 5;
/// Definitions are looked at once an hour: whoever replaces one need not restart the operator.
const HEARTBEAT: Duration = Duration::from_hours(1);

/// Why objects of a kind are not all stored in the storage version. What was done before stays; all is tried again.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The apiserver refused; where it could not convert, it names the webhook.
    #[error("could not {action} {name}: {}", words(source))]
    Api {
        /// What was tried.
        action: &'static str,
        /// On what.
        name: String,
        /// In the apiserver's words.
        #[source]
        source: Box<kube::Error>,
    },
    /// The apiserver did not answer.
    #[error("could not {action} {name}: no answer in {} s", TIMEOUT.as_secs())]
    Timeout {
        /// What was tried.
        action: &'static str,
        /// On what.
        name: String,
    },
    /// Objects could not be written, while others could.
    #[error("{failed} of {of} {plural} are not stored in {version} yet; {first}")]
    Objects {
        /// How many could not.
        failed: usize,
        /// How many there are.
        of: usize,
        /// Of which kind.
        plural: &'static str,
        /// The version to store them in.
        version: String,
        /// Why the first of them could not.
        #[source]
        first: Box<Self>,
    },
}

impl MigrationError {
    /// A bounded word for logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Api { .. } => "ApiError",
            Self::Timeout { .. } => "Timeout",
            Self::Objects { .. } => "ObjectsFailed",
        }
    }
}

/// Of a definition, what is read here: its schemas are a hundred times that.
type Definition = Object<Versions, Stored>;

#[derive(Clone, Debug, Default, Deserialize)]
struct Versions {
    versions: Vec<Version>,
}

#[derive(Clone, Debug, Deserialize)]
struct Version {
    name: String,
    storage: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    #[serde(default)]
    stored_versions: Vec<String>,
}

/// The storage version, where objects may be stored in others too.
fn due(definition: &Definition) -> Option<&str> {
    let storage = definition.spec.versions.iter().find(|version| version.storage)?;
    let stored = &definition.status.as_ref()?.stored_versions;
    (*stored != [storage.name.as_str()]).then_some(&storage.name)
}

/// Moves objects to the storage version of their kind.
#[derive(Clone)]
pub struct Migration {
    client: Client,
    recorder: Recorder,
}

impl Migration {
    /// Of the cluster behind `client`; people are told by `recorder`.
    pub fn new(client: Client, recorder: Recorder) -> Self {
        Self { client, recorder }
    }

    /// Looks at every kind, at once and then every hour, or sooner after what failed: one second, doubling to five minutes.
    /// Two that do so at the same time do no harm.
    pub async fn run(self) {
        let policy = retry_policy().with_min_delay(Duration::from_secs(1)).with_max_delay(Duration::from_mins(5));
        let mut delays = policy.build();
        loop {
            let pause = if self.migrate_all().await {
                delays = policy.build();
                HEARTBEAT
            } else {
                delays.next().unwrap_or(HEARTBEAT)
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether all kinds are done; one that fails keeps none of the others.
    async fn migrate_all(&self) -> bool {
        let mut done = true;
        for kind in Kind::ALL {
            if let Err(error) = self.migrate(kind).await {
                let (cause, reason) = (&error as &dyn std::error::Error, error.reason());
                tracing::warn!(kind = kind.name(), error = cause, reason, "objects are not all in the storage version");
                done = false;
            }
        }
        done
    }

    /// Moves the objects of a kind, where some may have to be, and then says in the definition that no other version is
    /// stored. May be stopped at any time and begun again.
    ///
    /// # Errors
    /// Some could not be moved, or the definition was changed meanwhile. Then it says what it did before.
    pub async fn migrate(&self, kind: Kind) -> Result<(), MigrationError> {
        let name = format!("{}.{GROUP}", kind.plural());
        let resource = ApiResource::erase::<CustomResourceDefinition>(&());
        let definitions = Api::<Definition>::all_with(self.client.clone(), &resource);
        let definition = answer("read definition", &name, definitions.get(&name)).await?;
        let Some(version) = due(&definition) else { return Ok(()) };

        tracing::info!(kind = kind.name(), version, "storing objects anew");
        let mut outcome = self.store_all(kind, version).await;
        if let Ok(count) = outcome {
            outcome = declare(&definitions, &definition, version).await.map(|()| count);
        }
        self.recorder.report(definition.object_ref(&resource), report(&outcome, version));
        outcome.map(drop)
    }

    /// Answers how many there are.
    async fn store_all(&self, kind: Kind, version: &str) -> Result<usize, MigrationError> {
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, version, kind.name()), kind.plural());
        let objects = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        let mut page = ListParams::default().limit(PAGE);
        let (mut seen, mut failed, mut first) = (0, 0, None);
        loop {
            let list = answer("list", kind.plural(), objects.list_metadata(&page)).await?;
            seen += list.items.len();
            let writes = list.items.into_iter().map(|object| self.store(&resource, object.metadata));
            let results: Vec<_> = stream::iter(writes).buffer_unordered(IN_FLIGHT).collect().await;
            for error in results.into_iter().filter_map(Result::err) {
                failed += 1;
                first.get_or_insert(error);
            }
            let left = list.metadata.remaining_item_count.and_then(|left| usize::try_from(left).ok()).unwrap_or(0);
            tracing::info!(kind = kind.name(), version, seen, of = seen + left, failed, "stored anew");
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
        let Some(first) = first.map(Box::new) else { return Ok(seen) };
        Err(MigrationError::Objects { failed, of: seen, plural: kind.plural(), version: version.to_owned(), first })
    }

    /// Writes an object as it is. By way of its status, which webhooks are not asked about: an object from before a rule
    /// must not stay behind. What is gone meanwhile is not stored in any version.
    async fn store(&self, resource: &ApiResource, object: ObjectMeta) -> Result<(), MigrationError> {
        let name = object.name.clone().unwrap_or_default();
        let url = DynamicObject::url_path(resource, object.namespace.as_deref());
        let write = || write_nothing(self.client.clone(), url.clone(), name.clone());
        let write = write.retry(retry_policy().with_max_times(CONFLICTS)).when(is_conflict);
        let shown = match &object.namespace {
            Some(namespace) => format!("{} {namespace}/{name}", resource.kind),
            None => format!("{} {name}", resource.kind),
        };
        match Step::Store.around(resource.kind.as_str(), answer("write", &shown, write)).await {
            Err(MigrationError::Api { source, .. }) if is_not_found(&source) => Ok(()),
            result => result,
        }
    }
}

/// An empty patch of a status: the apiserver stores the object anew, or not at all where it would be the same.
async fn write_nothing(client: Client, url: String, name: String) -> kube::Result<()> {
    let params = PatchParams { field_manager: Some(STATUS_MANAGER.into()), ..PatchParams::default() };
    let request = Request::new(url).patch_subresource("status", &name, &params, &Patch::Merge(json!({})));
    let mut request = request.map_err(kube::Error::BuildRequest)?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(METADATA));
    client.request::<PartialObjectMeta<DynamicObject>>(request).await.map(drop)
}

/// Says that only `version` is stored, unless the definition is another by now: then objects may be stored in yet another
/// version.
async fn declare(definitions: &Api<Definition>, definition: &Definition, version: &str) -> Result<(), MigrationError> {
    let name = definition.name_any();
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": definition.metadata.resource_version },
        "status": { "storedVersions": [version] },
    }));
    let params = PatchParams { field_manager: Some(STATUS_MANAGER.into()), ..PatchParams::default() };
    let written = definitions.patch_status(&name, &params, &patch);
    let written = answer("write status.storedVersions of definition", &name, written);
    Step::DeclareStored.around(&name, written).await.map(drop)
}

async fn answer<T>(
    action: &'static str,
    name: &str,
    request: impl IntoFuture<Output = kube::Result<T>>,
) -> Result<T, MigrationError> {
    let name = name.to_owned();
    match tokio::time::timeout(TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(MigrationError::Api { action, name, source: Box::new(source) }),
        Err(_) => Err(MigrationError::Timeout { action, name }),
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

fn report(outcome: &Result<usize, MigrationError>, version: &str) -> Report {
    match outcome {
        Ok(count) => Report {
            severity: Severity::Normal,
            reason: "StorageMigrated".into(),
            message: format!("All {count} objects are stored in {version}, and no other version is"),
        },
        Err(error) => Report {
            severity: Severity::Warning,
            reason: "StorageMigrationFailed".into(),
            message: format!("{error}; it is tried again"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(storage: &str, stored: &[&str]) -> Definition {
        let versions = ["v1alpha1", "v1beta1"].map(|name| json!({ "name": name, "storage": name == storage }));
        let spec = json!({ "versions": versions });
        serde_json::from_value(json!({ "metadata": {}, "spec": spec, "status": { "storedVersions": stored } })).unwrap()
    }

    #[test]
    fn objects_are_moved_where_a_definition_does_not_say_that_all_are() {
        let due = |storage, stored: &[&str]| due(&definition(storage, stored)).map(str::to_owned);
        assert_eq!(due("v1beta1", &["v1beta1"]), None);
        assert_eq!(due("v1beta1", &["v1alpha1", "v1beta1"]), Some("v1beta1".into()));
        assert_eq!(due("v1beta1", &["v1alpha1"]), Some("v1beta1".into()));
        assert_eq!(due("v1alpha1", &["v1beta1", "v1alpha1"]), Some("v1alpha1".into()), "the way back");
    }
}
