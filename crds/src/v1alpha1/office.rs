use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which agent manages.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerOffice",
    plural = "komputeroffices",
    singular = "komputeroffice",
    shortname = "kof",
    category = "komputer",
    namespaced,
    status = "KomputerOfficeStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerOffice is deprecated; use komputer.komputer.ai/v1beta1 KomputerOffice",
    doc = "A manager agent and the agents that belong to it.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Manager", type_ = "string", json_path = ".spec.manager"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.totalAgents"),
    printcolumn(name = "Active", type_ = "integer", json_path = ".status.activeAgents"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.totalCostUSD"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerOfficeSpec {
    /// Name of the manager. Immutable.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("manager is immutable; create a new office instead")
        .reason(Reason::FieldValueForbidden))]
    pub manager: String,
}

/// What komputer knows about an office.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerOfficeStatus {
    /// `InProgress`, `Complete` or `Error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub phase: Option<String>,

    /// How the manager stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<OfficeMember>,

    /// How its agents stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub members: Vec<OfficeMember>,

    /// Agents it has, the manager among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_agents: Option<i64>,

    /// Agents that work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_agents: Option<i64>,

    /// Agents whose last task is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_agents: Option<i64>,

    /// US dollars its agents have cost, as a decimal.
    #[serde(rename = "totalCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub total_cost_usd: Option<String>,

    /// Tokens of its agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,

    /// When the office was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What v1beta1's status says beside that.
    #[serde(flatten)]
    pub v1beta1: BTreeMap<String, Value>,
}

/// How an agent of an office stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OfficeMember {
    /// The agent.
    #[schemars(length(max = 253))]
    pub name: String,
    /// `manager` or `worker`.
    #[schemars(length(max = 64))]
    pub role: String,
    /// How its last task stands: `InProgress`, `Complete` or `Error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub task_status: Option<String>,
    /// US dollars all its tasks have cost, as a decimal.
    #[serde(rename = "lastTaskCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_task_cost_usd: Option<String>,
}
