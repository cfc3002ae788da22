use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AgentRef, Role, TemplateRef};
use crate::schema;

/// Which agent manages, and within which limits.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerOffice",
    plural = "komputeroffices",
    singular = "komputeroffice",
    shortname = "kof",
    category = "komputer",
    namespaced,
    status = "KomputerOfficeStatus",
    derive = "PartialEq",
    doc = "A manager agent and the agents that belong to it: how far it may go, and their states and costs in one place. What the manager makes goes with it; a manager without an office gets one.",
    selectable = ".spec.managerRef.name",
    printcolumn(name = "Manager", type_ = "string", json_path = ".spec.managerRef.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.totalAgents"),
    printcolumn(name = "Active", type_ = "integer", json_path = ".status.activeAgents", priority = 1),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.totalCostUSD"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerOfficeSpec {
    /// The manager. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("managerRef is immutable; create a new office instead")
        .reason(Reason::FieldValueForbidden))]
    pub manager_ref: AgentRef,

    /// Agents the manager may have at a time, those that were declared too; 20 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub max_agents: Option<i32>,

    /// How many managers may stand above each other, this one counted; 1 where absent, so that its agents are workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8))]
    pub max_depth: Option<i32>,

    /// Templates that the manager may make agents from; its own alone where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub template_refs: Vec<TemplateRef>,
}

/// What komputer knows about an office.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerOfficeStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the office.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Where the office stands, for people; programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<OfficePhase>,

    /// How the manager stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<OfficeMember>,

    /// How its agents stand: by name, the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub members: Vec<OfficeMember>,

    /// Agents it has, the manager among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_agents: Option<i32>,

    /// Agents that work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_agents: Option<i32>,

    /// Agents whose last task has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_agents: Option<i32>,

    /// US dollars its agents have cost, as a decimal.
    #[serde(rename = "totalCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub total_cost_usd: Option<String>,

    /// Tokens of its agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,

    /// When the office was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
}

/// How an agent of an office stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OfficeMember {
    /// The agent.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What it may do beside its own tasks.
    pub role: Role,
    /// How its last task stands: `Running`, `Succeeded`, `Failed` or `Cancelled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub task_phase: Option<String>,
    /// US dollars all its tasks have cost, as a decimal.
    #[serde(rename = "totalCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub total_cost_usd: Option<String>,
}

/// Where an office stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfficePhase {
    /// Its manager does not exist.
    Pending,
    /// One of its agents works.
    InProgress,
    /// None of its agents works.
    Complete,
    /// The last task of one of its agents has failed, and none works.
    Failed,
}
