//! What the operator hands to an agent: `PUT /v1/tasks/{uid}`, answered 202 however often it is sent.
use serde::{Deserialize, Serialize};

use crate::Money;

/// The port the agent's HTTP server listens on, in every agent pod.
pub const PORT: u16 = 8000;

/// One unit of work. Its uid is the `KomputerTask`'s and stands in the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskRequest {
    /// The task's name, for people.
    pub name: String,
    /// What to do.
    pub instructions: String,
    /// The model to use.
    pub model: String,
    /// Who the agent is, ahead of the instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// The task fails once it has cost more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<Money>,
    /// The task fails after this many calls to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// The task fails once it has taken that long, in milliseconds since the agent first began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// How often it is tried again after it has failed for a reason that may pass. All tries count together for the limits
    /// above.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Instead of doing anything, the agent has its conversation summarised. The instructions, which may be empty then, say
    /// what the summary is to keep.
    #[serde(default, skip_serializing_if = "is_false")]
    pub compact: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What is said to an agent in the middle of a task: `PUT /v1/tasks/{task}/messages/{uid}`, answered 202 however often it is
/// sent, and 409 where that task does not run any more. The uid is that of the `KomputerTask` that says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    /// What to say.
    pub text: String,
    /// What says it fails once that many milliseconds have passed since the agent has read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// What a task may have cost before it calls the model again: `PUT /v1/tasks/{uid}/allowance`, told before the task itself
/// is handed over, and again whenever it changes. It counts from the task's beginning, so telling it twice changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowance {
    /// US dollars; the call that reaches them is the last one. Absent where no budget limits the task.
    #[serde(rename = "upToUSD", default, skip_serializing_if = "Option::is_none")]
    pub up_to_usd: Option<Money>,
    /// The budget that allows the least, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub budget: String,
}

/// What the agent answers to `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// The uid of the task it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
    /// Uids of accepted tasks that wait.
    #[serde(default)]
    pub queued: Vec<String>,
    /// Events in its journal that Redis has not acknowledged.
    #[serde(default)]
    pub unpublished: u64,
}
