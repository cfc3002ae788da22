use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Lifecycle, Role, schema::references};
use crate::{name_limit::NameLimit, schema};

/// When which agent does what.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerSchedule",
    plural = "komputerschedules",
    singular = "komputerschedule",
    shortname = "ksc",
    category = "komputer",
    namespaced,
    status = "KomputerScheduleStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerSchedule is deprecated; use komputer.komputer.ai/v1beta1 KomputerSchedule",
    doc = "Makes an agent do something at each time of a cron expression.",
    validation = NameLimit::SCHEDULE.rule(),
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Agent", type_ = "string", json_path = ".status.agentName"),
    printcolumn(name = "Runs", type_ = "integer", json_path = ".status.runCount"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.totalCostUSD"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextRunTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("has(self.agentName) || has(self.agent)")
        .message("one of agentName, an agent there is, and agent, one to be made, must be set; add one")
        .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerScheduleSpec {
    /// When runs begin, as a cron expression of five fields like `0 9 * * 1-5`.
    #[schemars(schema_with = "schema::cron")]
    pub schedule: String,

    /// What each run does.
    #[schemars(length(max = 1_048_576))]
    pub instructions: String,

    /// The time zone of `schedule`, like `Europe/Berlin`; UTC where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub timezone: Option<String>,

    /// Whether no other run begins once one has succeeded. False where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_delete: Option<bool>,

    /// Whether an agent that was made for the schedule stays when the schedule goes. False where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_agents: Option<bool>,

    /// While true no run begins. False where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,

    /// Name of the agent that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub agent_name: Option<String>,

    /// The agent that is made to do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<ScheduledAgent>,
}

/// An agent that is made for a schedule.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledAgent {
    /// The Claude model.
    #[serde(default = "super::agent::default_model")]
    #[schemars(length(max = 253))]
    pub model: String,

    /// What happens after runs.
    #[serde(default = "sleep")]
    pub lifecycle: Lifecycle,

    /// What it may do beside its own tasks.
    #[serde(default = "worker")]
    pub role: Role,

    /// Name of the template it is made from.
    #[serde(default = "super::agent::default_template")]
    #[schemars(length(max = 253))]
    pub template_ref: String,

    /// Names of Secrets whose keys the agent's shell gets as environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "references")]
    pub secrets: Vec<String>,
}

/// What komputer knows about a schedule.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerScheduleStatus {
    /// `Active`, `Suspended` or `Error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub phase: Option<String>,

    /// When the last run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_time: Option<Time>,

    /// When the next run begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_time: Option<Time>,

    /// Runs that have begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_count: Option<i64>,

    /// Runs that have succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successful_runs: Option<i64>,

    /// Runs that have failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_runs: Option<i64>,

    /// US dollars all its runs have cost, as a decimal.
    #[serde(rename = "totalCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub total_cost_usd: Option<String>,

    /// US dollars its last run has cost, as a decimal.
    #[serde(rename = "lastRunCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_run_cost_usd: Option<String>,

    /// Tokens of all its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,

    /// Tokens of its last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_tokens: Option<i64>,

    /// The agent that does the runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub agent_name: Option<String>,

    /// How the last run stands: `InProgress`, `Success` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_run_status: Option<String>,

    /// Why the schedule is in its phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32_768))]
    pub message: Option<String>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What v1beta1's status says beside that.
    #[serde(flatten)]
    pub v1beta1: BTreeMap<String, Value>,
}

fn sleep() -> Lifecycle {
    Lifecycle::Sleep
}

fn worker() -> Role {
    Role::Worker
}
