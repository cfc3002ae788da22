use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KomputerAgentStatus, schema::references};
use crate::{DEFAULT_MODEL, DEFAULT_TEMPLATE, name_limit::NameLimit, schema};

/// What an agent is and does.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerAgent",
    plural = "komputeragents",
    singular = "komputeragent",
    shortname = "kag",
    category = "komputer",
    namespaced,
    status = "KomputerAgentStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerAgent is deprecated; use komputer.komputer.ai/v1beta1 KomputerAgent",
    doc = "A Claude agent: a pod and its workspace while awake, the workspace alone while asleep.",
    validation = NameLimit::AGENT.rule(),
    validation = schema::another_manager("officeManager", "officeManager"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Task", type_ = "string", json_path = ".status.taskStatus"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.totalCostUSD"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model"),
    printcolumn(name = "Queue", type_ = "integer", json_path = ".status.queuePosition"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerAgentSpec {
    /// Name of the template it is made from: a `KomputerAgentTemplate` of its namespace or, where there is none of that
    /// name, a `KomputerAgentClusterTemplate`.
    #[serde(default = "default_template")]
    #[schemars(length(max = 253))]
    pub template_ref: String,

    /// What the agent is to do.
    #[schemars(length(max = 1_048_576))]
    pub instructions: String,

    /// A prompt ahead of `systemPrompt`, which clients of v1alpha1 fill in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 131_072))]
    pub internal_system_prompt: Option<String>,

    /// Who the agent is, ahead of every task's instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_048_576))]
    pub system_prompt: Option<String>,

    /// The Claude model.
    #[serde(default = "default_model")]
    #[schemars(length(max = 253))]
    pub model: String,

    /// What it may do beside its own tasks.
    #[serde(default)]
    pub role: Role,

    /// Names of Secrets whose keys the agent's shell gets as environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "references")]
    pub secrets: Vec<String>,

    /// Skills the agent knows, as `name` or `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "references")]
    pub skills: Vec<String>,

    /// Memories the agent has, as `name` or `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "references")]
    pub memories: Vec<String>,

    /// MCP servers the agent may use, as `name` or `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "references")]
    pub connectors: Vec<String>,

    /// What happens after tasks; the pod stays where absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,

    /// Name of the manager agent whose office this agent belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub office_manager: Option<String>,

    /// Which agents start first where a template limits how many run: higher first.
    #[serde(default)]
    pub priority: i32,

    /// A part of a PodSpec, laid over the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::opaque")]
    pub pod_spec: Option<serde_json::Value>,

    /// The workspace volume, instead of the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,

    /// Labels of the agent's pod.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::schema::labels")]
    pub labels: BTreeMap<String, String>,
}

/// What an agent may do beside its own tasks.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Creates and directs other agents.
    #[default]
    Manager,
    /// Does tasks.
    Worker,
}

/// What happens after tasks.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifecycle {
    /// The pod stays and waits for the next task.
    #[default]
    #[serde(rename = "")]
    KeepRunning,
    /// The pod goes and the workspace stays; the next task wakes the agent.
    Sleep,
    /// The pod and the workspace go.
    AutoDelete,
}

/// The workspace volume.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Its size, as a quantity like `5Gi`.
    #[serde(default = "default_size")]
    #[schemars(length(max = 64))]
    pub size: String,
    /// Its storage class; the cluster's default where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,
}

pub(super) fn default_template() -> String {
    DEFAULT_TEMPLATE.into()
}

pub(super) fn default_model() -> String {
    DEFAULT_MODEL.into()
}

fn default_size() -> String {
    "5Gi".into()
}
