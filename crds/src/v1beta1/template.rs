use std::collections::BTreeMap;

use indexmap::IndexMap;
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::Condition};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MaxUnavailable, NamespacedSecretKeyRef};
use crate::schema;

/// What agents made from this template have in common.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerAgentTemplate",
    plural = "komputeragenttemplates",
    singular = "komputeragenttemplate",
    category = "komputer",
    shortname = "kat",
    namespaced,
    status = "KomputerAgentTemplateStatus",
    derive = "PartialEq",
    doc = "What agents of one namespace have in common: pod, storage and model access.",
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.agents"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
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
    version = "v1beta1",
    kind = "KomputerAgentClusterTemplate",
    plural = "komputeragentclustertemplates",
    singular = "komputeragentclustertemplate",
    category = "komputer",
    shortname = "kct",
    status = "KomputerAgentTemplateStatus",
    derive = "PartialEq",
    doc = "What agents of every namespace have in common: pod, storage and model access. Secrets it names live in the operator's namespace.",
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.agents"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
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
    /// The agent's image; the operator's default where absent. It must hold `komputer-agent` and the Claude CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// When the image is pulled; `IfNotPresent` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// How the agent reaches Claude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelAccess>,

    /// What the agent's container asks for and may use; 384Mi of memory asked, 1Gi the limit, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// The workspace volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,

    /// Agents of a namespace that may be awake at a time, made from it; no limit where absent or 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_concurrent_agents: Option<i32>,

    /// When a pod is replaced that was made before a change; `WhenIdle` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,

    /// Agents of a namespace, made from it, that are replaced at a time while they work well: an integer, or a percentage of
    /// those that are awake, rounded down to one at least; `10%` where absent. The next is replaced once the new pod of one of
    /// them is ready: what a change breaks, it breaks for so many. Pods of squads are replaced each by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<MaxUnavailable>,

    /// Changes to the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

/// What komputer knows about a template.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerAgentTemplateStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// How many agents are made from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<i32>,
}

/// How an agent reaches Claude.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ModelAccess {
    /// The model of agents that name none, like `claude-sonnet-4-6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::model")]
    pub name: Option<String>,

    /// The Messages API, `https://api.anthropic.com` where absent.
    #[serde(rename = "baseURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::url")]
    pub base_url: Option<String>,

    /// The Secret with the API key. It never reaches the agent's shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<NamespacedSecretKeyRef>,
}

/// When a pod is replaced that was made before the agent, its template or a Secret of the operator's namespace changed.
/// One that cannot start is replaced at once, whatever is said here.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rollout {
    /// Once no task runs.
    #[default]
    WhenIdle,
    /// At once: a running task is interrupted, and goes on in the new pod.
    Immediately,
    /// Once somebody deletes it.
    OnDelete,
}

/// When an image is pulled.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// At every start.
    Always,
    /// Where the node does not have it.
    IfNotPresent,
    /// Not at all: the node must have it.
    Never,
}

/// What a container asks for and may use.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    // Thousands of statuses are kept in memory, where a `BTreeMap` of one amount takes as much as of eleven.
    /// What it asks for, like `{memory: 384Mi, cpu: 100m}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub requests: IndexMap<String, Quantity>,
    /// What it may use, like `{memory: 1Gi}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub limits: IndexMap<String, Quantity>,
}

/// The workspace volume.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Its size, like `5Gi`, which it is where absent. May grow where the storage class allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub size: Option<Quantity>,
    /// Its storage class; the cluster's default where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

/// Changes to an agent's pod.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels of the pod, beside komputer's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// A part of a PodSpec, laid over the one komputer makes: objects are merged, lists of named things by name, other
    /// values replaced. Checked at admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::opaque")]
    pub spec: Option<serde_json::Value>,
}
