use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AgentRef, KomputerAgentSpec, TaskPhase};
use crate::{name_limit::NameLimit, schema};

/// When which agent does what.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerSchedule",
    plural = "komputerschedules",
    singular = "komputerschedule",
    shortname = "ksc",
    category = "komputer",
    namespaced,
    status = "KomputerScheduleStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Makes a KomputerTask at each time of a cron expression, as CronJob makes Jobs; and at once where its annotation komputer.komputer.ai/trigger gets another value.",
    validation = NameLimit::SCHEDULE.rule(),
    validation = Rule::new("self.metadata.name.size() <= 48 || !has(self.spec.agent) || has(self.spec.agentRef) || oldSelf.optMap(old, has(old.spec.agent) && !has(old.spec.agentRef)).orValue(false)")
        .message("metadata.name must be at most 48 characters where the agent is named after it; choose a shorter name, or set spec.agentRef.name")
        .reason(Reason::FieldValueInvalid)
        .field_path(".metadata.name")
        .optional_old_self(true),
    selectable = ".spec.agentRef.name",
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Last", type_ = "date", json_path = ".status.lastRunTime", priority = 1),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextRunTime"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.totalCostUSD"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("has(self.schedule) != has(self.at)")
        .message("exactly one of schedule, for many runs, and at, for one, must be set; set one and remove the other")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("has(self.agentRef) || has(self.agent)")
        .message("one of agentRef, an agent there is, and agent, one to be made, must be set; add one")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.agent) || !has(self.agent.instructions)")
        .field_path(".agent.instructions")
        .message("must be absent, because the agent does task.instructions at each run; remove it")
        .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerScheduleSpec {
    /// When runs begin, as a cron expression like `0 9 * * 1-5`: minute, hour, day of the month, month, day of the week;
    /// with seconds ahead where it has six fields. Either this or `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cron")]
    pub schedule: Option<String>,

    /// When the only run begins, like `2027-01-31T09:00:00Z`. Either this or `schedule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,

    /// The time zone of `schedule`, like `Europe/Berlin`; UTC where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time_zone")]
    pub time_zone: Option<String>,

    /// While true no run begins, but one that is triggered; those under way go on. Of the runs that were left out
    /// meanwhile the last begins afterwards, unless `startingDeadlineSeconds` is over. False where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// What happens where the run before has not ended; `Forbid` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_policy: Option<ConcurrencyPolicy>,

    /// Seconds after its time in which a run may still begin; a run that misses them is left out. No limit where absent.
    /// Of several runs that could not begin at their times only the last begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub starting_deadline_seconds: Option<i64>,

    /// Runs that succeed after which no other begins; no limit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub completions: Option<i32>,

    /// Tasks that have succeeded and are kept; 3 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub successful_tasks_history_limit: Option<i32>,

    /// Tasks that have failed or were cancelled and are kept; 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub failed_tasks_history_limit: Option<i32>,

    /// What each run does.
    pub task: ScheduledTask,

    /// The agent that does it; where `agent` is set, it is made under that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_ref: Option<AgentRef>,

    /// The agent that is made to do it, called as `agentRef` says or, where that is absent, `<schedule>-agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Box<KomputerAgentSpec>>,

    /// Whether an agent that was made for the schedule goes with it; `Delete` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_deletion_policy: Option<AgentDeletionPolicy>,
}

/// What a run does.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledTask {
    /// What to do.
    #[schemars(length(min = 1, max = 131_072))]
    pub instructions: String,

    /// The Claude model of the runs, like `claude-sonnet-4-6`; the agent's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::model")]
    pub model: Option<String>,

    /// US dollars after which a run fails, as a decimal like `"2.50"`; no limit where absent.
    #[serde(rename = "maxCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::limit")]
    pub max_cost_usd: Option<String>,

    /// Calls to the model after which a run fails; no limit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_turns: Option<i32>,

    /// How long a run may take once the agent has begun it, like `30m`; it fails then. No limit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub deadline: Option<String>,

    /// How often a run is tried again after it has failed, as `retries` of a task says. 0 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<i32>,
}

/// What happens where the run before has not ended.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConcurrencyPolicy {
    /// Another task waits for the agent; at most 100 are under way.
    Allow,
    /// The run waits until the one before has ended; where others come to wait meanwhile, only the last of them begins.
    #[default]
    Forbid,
    /// All tasks before are cancelled.
    Replace,
}

/// Whether an agent goes with the schedule that made it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentDeletionPolicy {
    /// It goes, and its workspace with it, once the schedule is deleted or completed.
    #[default]
    Delete,
    /// It stays.
    Retain,
}

/// What komputer knows about a schedule.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerScheduleStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Where the schedule stands, for people; programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<SchedulePhase>,

    /// The agent that does the runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub agent_name: Option<String>,

    /// The time of the last run that began; when it was triggered, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_time: Option<Time>,

    /// The task of the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub last_run_name: Option<String>,

    /// The time of the next run; where it is over, of the first that waits for something. Absent while suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_time: Option<Time>,

    /// The last time at which a run did not begin, because one was under way or it was too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_skipped_time: Option<Time>,

    /// The last run that was triggered by the annotation `komputer.komputer.ai/trigger`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_trigger: Option<ScheduleTrigger>,

    /// The runs whose tasks there are, and the last ten others, the newest last. All are part of the counts and sums.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub runs: Vec<ScheduleRun>,

    /// How the last run stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_phase: Option<TaskPhase>,

    /// Runs that have begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_count: Option<i64>,

    /// Runs that have succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successful_runs: Option<i64>,

    /// Runs that have failed or were cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_runs: Option<i64>,

    /// US dollars all its runs have cost, as a decimal.
    #[serde(rename = "totalCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub total_cost_usd: Option<String>,

    /// US dollars its last run has cost, as a decimal.
    #[serde(rename = "lastRunCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub last_run_cost_usd: Option<String>,

    /// Tokens of all its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,

    /// Tokens of its last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_tokens: Option<i64>,
}

/// A run of a schedule.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRun {
    /// Its task.
    #[schemars(length(max = 63))]
    pub name: String,

    /// When the task was made.
    pub start_time: Time,

    /// How it stands; `Cancelled` where its task was deleted before it ended.
    pub phase: TaskPhase,

    /// US dollars it has cost, as a decimal.
    #[serde(rename = "costUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub cost_usd: Option<String>,

    /// Tokens it has used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
}

/// A run that somebody asked for.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleTrigger {
    /// What the annotation said, at most its first 253 characters; another value triggers another run.
    #[schemars(length(max = 253))]
    pub value: String,

    /// When it was seen.
    pub time: Time,
}

/// Where a schedule stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedulePhase {
    /// Runs begin at their times.
    Active,
    /// No run begins, because `spec.suspend` is true.
    Suspended,
    /// The last run there was to be has been.
    Completed,
    /// Cannot go on without a change.
    Failed,
}
