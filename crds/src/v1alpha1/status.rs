use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What komputer knows about an agent.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerAgentStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Sleeping` or `Queued`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub phase: Option<String>,

    /// The name of its pod, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod_name: Option<String>,

    /// The name of its workspace volume's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pvc_name: Option<String>,

    /// When it first ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,

    /// When it finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,

    /// Why the agent is in its phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32_768))]
    pub message: Option<String>,

    /// Where its last task stands: `InProgress`, `Complete`, `Compacting` or `Error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub task_status: Option<String>,

    /// What the last task said last, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub last_task_message: Option<String>,

    /// Claude's session, which later tasks go on in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub session_id: Option<String>,

    /// US dollars the last task has cost, as a decimal.
    #[serde(rename = "lastTaskCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_task_cost_usd: Option<String>,

    /// US dollars all its tasks have cost, as a decimal.
    #[serde(rename = "totalCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub total_cost_usd: Option<String>,

    /// Tokens of all its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,

    /// Tokens the model's context window holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_context_window: Option<i64>,

    /// Its place among the agents that wait for their template's limit, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<i32>,

    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub queue_reason: Option<String>,

    /// Whether it runs in a squad's pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub squad: Option<bool>,

    /// The port its HTTP server listens on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What v1beta1's status says beside that. It travels through v1alpha1, so that a client that writes a spec through
    /// v1alpha1 does not take it away.
    #[serde(flatten)]
    pub v1beta1: BTreeMap<String, Value>,
}

/// What komputer knows about something that agents have.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AttachedStatus {
    /// How many agents have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_agents: Option<i64>,

    /// Which agents have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 317)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub agent_names: Vec<String>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What v1beta1's status says beside that.
    #[serde(flatten)]
    pub v1beta1: BTreeMap<String, Value>,
}

/// What komputer knows about an object of a kind that had no status in v1alpha1.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ConditionsStatus {
    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What v1beta1's status says beside that.
    #[serde(flatten)]
    pub v1beta1: BTreeMap<String, Value>,
}
