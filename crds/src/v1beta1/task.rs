use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AgentRef, Tokens};
use crate::{name_limit::NameLimit, schema};

/// One unit of work for an agent. Immutable, except that it can be cancelled.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerTask",
    plural = "komputertasks",
    singular = "komputertask",
    shortname = "kta",
    category = "komputer",
    namespaced,
    status = "KomputerTaskStatus",
    derive = "PartialEq",
    doc = "One unit of work for an agent: what to do, within which limits, and what came of it.",
    validation = NameLimit::TASK.rule(),
    selectable = ".spec.agentRef.name",
    selectable = ".status.phase",
    printcolumn(name = "Agent", type_ = "string", json_path = ".spec.agentRef.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.costUSD"),
    printcolumn(name = "Result", type_ = "string", json_path = ".status.result", priority = 1),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("has(self.instructions) || (has(self.compact) && self.compact)")
        .message("instructions must be set; add them, or set compact to have the conversation summarised")
        .reason(Reason::FieldValueRequired)
        .field_path(".instructions"),
    validation = Rule::new("!has(self.compact) || !self.compact || !has(self.mode) || self.mode != 'Steer'")
        .message("mode must not be Steer where compact is true: a conversation is summarised between tasks; remove one of them")
        .reason(Reason::FieldValueInvalid)
        .field_path(".mode"),
    validation = Rule::new("has(self.instructions) == has(oldSelf.instructions) && (!has(self.instructions) || self.instructions == oldSelf.instructions)")
        .message("instructions is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".instructions"),
    validation = Rule::new("has(self.compact) == has(oldSelf.compact) && (!has(self.compact) || self.compact == oldSelf.compact)")
        .message("compact is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".compact"),
    validation = Rule::new("!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)")
        .message("cancel is immutable once true; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".cancel"),
    validation = Rule::new("has(self.model) == has(oldSelf.model) && (!has(self.model) || self.model == oldSelf.model)")
        .message("model is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".model"),
    validation = Rule::new("has(self.maxCostUSD) == has(oldSelf.maxCostUSD) && (!has(self.maxCostUSD) || self.maxCostUSD == oldSelf.maxCostUSD)")
        .message("maxCostUSD is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".maxCostUSD"),
    validation = Rule::new("has(self.maxTurns) == has(oldSelf.maxTurns) && (!has(self.maxTurns) || self.maxTurns == oldSelf.maxTurns)")
        .message("maxTurns is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".maxTurns"),
    validation = Rule::new("has(self.deadline) == has(oldSelf.deadline) && (!has(self.deadline) || self.deadline == oldSelf.deadline)")
        .message("deadline is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".deadline"),
    validation = Rule::new("has(self.retries) == has(oldSelf.retries) && (!has(self.retries) || self.retries == oldSelf.retries)")
        .message("retries is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".retries"),
    validation = Rule::new("has(self.mode) == has(oldSelf.mode) && (!has(self.mode) || self.mode == oldSelf.mode)")
        .message("mode is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".mode"),
    validation = Rule::new("has(self.ttlAfterFinished) == has(oldSelf.ttlAfterFinished) && (!has(self.ttlAfterFinished) || self.ttlAfterFinished == oldSelf.ttlAfterFinished)")
        .message("ttlAfterFinished is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".ttlAfterFinished")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerTaskSpec {
    /// The agent that is to do it. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("agentRef is immutable; create a new task instead")
        .reason(Reason::FieldValueForbidden))]
    pub agent_ref: AgentRef,

    /// What to do or, where `compact` is true, what the summary is to keep; required where it is not. Immutable.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1, max = 131_072))]
    pub instructions: String,

    /// True has the agent's conversation summarised when it is this task's turn, as Claude Code's `/compact` does, so that
    /// the tasks after it cost less and keep to what matters; nothing else is done. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compact: Option<bool>,

    /// The Claude model for this task; the agent's where absent. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::model")]
    pub model: Option<String>,

    /// US dollars after which the task fails, as a decimal like `"2.50"`; no limit where absent. Immutable.
    #[serde(rename = "maxCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::limit")]
    pub max_cost_usd: Option<String>,

    /// Calls to the model after which the task fails; no limit where absent. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_turns: Option<i32>,

    /// How long the task may take once the agent has begun it, like `30m`; it fails then, however often the agent was
    /// started again meanwhile. No limit where absent. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub deadline: Option<String>,

    /// How often the task is tried again after it has failed, in the same conversation: where the model's API failed
    /// (`ApiError`), Claude Code did (`RuntimeFailed`) or something it left in the background did not end
    /// (`BackgroundTimeout`); 10 s later, then twice as long each time, up to 5 min. All tries together keep to `maxCostUSD`,
    /// `maxTurns` and `deadline`. 0 where absent. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<i32>,

    /// What happens where the agent is busy; `Queue` where absent. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<TaskMode>,

    /// How long the task is kept after it has ended, like `24h`; it is deleted then. For ever where absent. Not for tasks
    /// in Git: what deploys them would make them again, and they would run again. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub ttl_after_finished: Option<String>,

    /// Set to true to cancel the task. Cannot be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<bool>,
}

/// What happens where the agent is busy.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskMode {
    /// The task waits until those before it have ended.
    #[default]
    Queue,
    /// Those before it that have not ended are cancelled.
    Replace,
    /// The agent reads the instructions in the middle of the task it works on, between two of its tools or after its last
    /// words; nothing is interrupted. This task runs from then on, and ends as and with the one that read it, whose cost and
    /// limits are those of both: its own `model`, `maxCostUSD`, `maxTurns` and `retries` do not count, its `deadline` does.
    /// Where that one ends first, or the agent is idle, this is a task like any other, and counts for itself.
    Steer,
}

/// What came of a task.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerTaskStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always: True once the task has succeeded. Reconciling while it waits or runs, Stalled where it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Where the task stands, for people; programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<TaskPhase>,

    /// When the agent began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,

    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,

    /// The agent's last words, at most 32 KiB; the events have all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32_768))]
    pub result: Option<String>,

    /// What the agent said last, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub message: Option<String>,

    /// US dollars it has cost, as a decimal.
    #[serde(rename = "costUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub cost_usd: Option<String>,

    /// Tokens it has used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,

    /// Calls to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<i64>,

    /// The uid of the task that read this one's instructions while it ran, where `mode` is `Steer`. What both cost is in that
    /// one's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub steered_task_uid: Option<String>,

    /// Claude's session it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub session_id: Option<String>,

    /// The id of the last event this status has taken into account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub cursor: Option<String>,
}

/// Where a task stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskPhase {
    /// Waits for its agent.
    #[default]
    Pending,
    /// The agent works on it.
    Running,
    /// Ended well.
    Succeeded,
    /// Failed.
    Failed,
    /// Was cancelled.
    Cancelled,
}

impl TaskPhase {
    /// Whether nothing more will happen to the task.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl KomputerTask {
    /// Whether somebody cancelled it before its agent began.
    pub fn never_began(&self) -> bool {
        let began = self.status.as_ref().is_some_and(|status| status.start_time.is_some());
        let is_cancelled = self.phase() == TaskPhase::Cancelled
            || self.phase() == TaskPhase::Pending && self.spec.cancel == Some(true);
        is_cancelled && !began
    }

    /// Where the task stands; pending where nothing is known.
    pub fn phase(&self) -> TaskPhase {
        self.status.as_ref().and_then(|status| status.phase).unwrap_or_default()
    }
}
