use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConditionsStatus, Storage};
use crate::schema;

/// What agents made from this template have in common.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerAgentTemplate",
    plural = "komputeragenttemplates",
    singular = "komputeragenttemplate",
    shortname = "kat",
    category = "komputer",
    namespaced,
    status = "ConditionsStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerAgentTemplate is deprecated; use komputer.komputer.ai/v1beta1 KomputerAgentTemplate",
    doc = "What agents of one namespace have in common.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerAgentTemplateSpec {
    /// What the template says.
    #[serde(flatten)]
    pub template: Template,
}

/// What agents made from this template have in common.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerAgentClusterTemplate",
    plural = "komputeragentclustertemplates",
    singular = "komputeragentclustertemplate",
    shortname = "kct",
    category = "komputer",
    status = "ConditionsStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerAgentClusterTemplate is deprecated; use komputer.komputer.ai/v1beta1 KomputerAgentClusterTemplate",
    doc = "What agents of every namespace have in common.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerAgentClusterTemplateSpec {
    /// What the template says.
    #[serde(flatten)]
    pub template: Template,
}

/// What agents have in common.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// A part of a PodSpec, laid over the one komputer makes; the agent's container is called `agent`.
    #[schemars(schema_with = "schema::opaque")]
    pub pod_spec: serde_json::Value,

    /// The workspace volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,

    /// Agents of a namespace that may be awake at a time, made from it; no limit where 0.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub max_concurrent_agents: i32,

    /// The Secret with the API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anthropic_key_secret_ref: Option<NamespacedSecretKeyRef>,
}

/// One key of a Secret that may live in another namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NamespacedSecretKeyRef {
    /// Name of the Secret, like `anthropic-api-key`.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Key within the Secret, like `api-key`.
    #[schemars(schema_with = "schema::secret_key")]
    pub key: String,
    /// Its namespace. Where absent: the object's own or, where that has none, the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}
