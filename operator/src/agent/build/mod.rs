//! From values to manifests. No decisions here.
mod namespace;
mod overlay;
mod pod;
mod secret;
mod shared;
mod volume;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use komputer_crds::v1beta1::KomputerAgent;
use kube::{Resource, ResourceExt};

pub(super) use namespace::{NETWORK_POLICIES, SERVICE_ACCOUNT, network_policies, service_account};
pub(super) use pod::{CONTAINER, container_of, pod};
pub(super) use secret::secret;
pub(super) use shared::path as workspace_path;
pub(crate) use shared::{SeatedAgent, differs, metadata_of_shared_pod, shared_pod};
pub(super) use volume::{storage, volume};

/// Holds the hash of the manifest that was applied.
pub const MANIFEST_HASH: &str = "komputer.ai/manifest-hash";
/// Names the template an agent's pod was made from, whose limit it counts against.
pub const TEMPLATE: &str = "komputer.ai/template";
/// Says of an agent's pod that it was made in the place of one that worked.
pub const REPLACEMENT: &str = "komputer.ai/replacement";
/// What every agent's pod, volume and account is labelled with, and watches select.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "komputer-operator");
/// What agents' pods are called among an application's parts.
pub(super) const APP: (&str, &str) = ("app.kubernetes.io/name", "komputer-agent");

/// Metadata of an agent's child: komputer's own labels and nothing copied from the agent (gitops F4).
pub(super) fn child_of(agent: &KomputerAgent, name: String, more: BTreeMap<String, String>) -> ObjectMeta {
    let instance = ("app.kubernetes.io/instance", agent.name_any());
    let mut labels = more;
    labels.extend(shared_labels());
    labels.insert(instance.0.into(), instance.1.clone());
    labels.insert("komputer.ai/agent-name".into(), instance.1);
    ObjectMeta {
        name: Some(name),
        namespace: agent.namespace(),
        labels: Some(labels),
        owner_references: agent.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..Default::default()
    }
}

pub(crate) fn shared_labels() -> BTreeMap<String, String> {
    [APP, MANAGED_BY, ("app.kubernetes.io/part-of", "komputer")].map(|(key, value)| (key.into(), value.into())).into()
}
