//! What may happen.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    model::{CREW, Id, OFFICE, PAID, Rest, TIMES},
    played::mind::{ENDLESS, FAILS},
};

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// An agent is made, or told to rest otherwise.
    Agent {
        id: Id,
        rest: Rest,
    },
    Suspend {
        id: Id,
        is_suspended: bool,
    },
    /// It goes, with its tasks.
    DeleteAgent {
        id: Id,
    },
    Task {
        id: Id,
        agent: String,
        work: Work,
        replaces: bool,
    },
    Cancel {
        id: Id,
    },
    DeleteTask {
        id: Id,
    },
    /// The budget is for so many calls from now on.
    Raise {
        calls: u64,
    },
    Squad {
        members: BTreeSet<String>,
    },
    DeleteSquad,
    /// A schedule that runs once, by hand, or so many times by the clock.
    Schedule {
        name: String,
        runs: Option<u32>,
    },
    /// It is to run once more, for the time that is said.
    Trigger {
        name: String,
        time: u32,
    },
    DeleteSchedule {
        name: String,
    },
    /// Something becomes of the pod that the agent is in, if it is in one.
    Pod {
        id: Id,
        fate: Fate,
    },
    Operator(Change),
}

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deleted,
    Evicted,
    Crashed,
}

/// What becomes of who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It dies, and is started again.
    Dies,
    /// It ends as it should, and another leads.
    EndsWell,
    /// It stands still, another leads, and it goes on when its time is long over.
    LosesTheLease,
}

/// What a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Does(u64),
    FailsAfter(u64),
    Endless,
    /// A manager makes an agent, and waits for what it does.
    Hires(String),
    /// A manager has it deleted.
    Fires(String),
}

impl Work {
    /// As played agents understand it.
    pub fn instructions(&self) -> String {
        match self {
            Self::Does(calls) => format!("{calls} calls"),
            Self::FailsAfter(calls) => format!("{calls} calls, {FAILS}"),
            Self::Endless => ENDLESS.into(),
            Self::Hires(child) => {
                let input = json!({ "name": child, "instructions": "2 calls", "after_task": "sleep" });
                let wait = json!({ "tool": "wait_for_tasks", "input": { "agents": [child] } });
                json!([{ "tool": "create_agent", "input": input }, wait]).to_string()
            }
            Self::Fires(child) => json!([{ "tool": "delete_agent", "input": { "name": child } }]).to_string(),
        }
    }

    /// How it ends by itself, if it does.
    pub fn end(&self) -> Option<&'static str> {
        match self {
            Self::Endless => None,
            Self::FailsAfter(_) => Some("Failed"),
            _ => Some("Succeeded"),
        }
    }

    /// Calls it takes.
    pub fn calls(&self) -> u64 {
        match self {
            Self::Does(calls) | Self::FailsAfter(calls) => *calls,
            Self::Endless => 0,
            Self::Hires(_) | Self::Fires(_) => 1,
        }
    }
}

impl Action {
    /// Where it happens: what happens in other namespaces at the same time is nothing to it.
    pub fn place(&self) -> &'static str {
        match self {
            Self::Agent { id, .. }
            | Self::Suspend { id, .. }
            | Self::DeleteAgent { id }
            | Self::Task { id, .. }
            | Self::Cancel { id }
            | Self::DeleteTask { id }
            | Self::Pod { id, .. } => id.0,
            Self::Raise { .. } => PAID,
            Self::Squad { .. } | Self::DeleteSquad => CREW,
            Self::Schedule { .. } | Self::Trigger { .. } | Self::DeleteSchedule { .. } => TIMES,
            Self::Operator(_) => "",
        }
    }
}

/// The spec of an agent that rests so.
pub fn spec(namespace: &str, rest: Rest) -> Value {
    let after = match rest {
        Rest::StaysAwake => "KeepRunning",
        Rest::Sleeps => "Sleep",
        Rest::Finishes => "Delete",
    };
    let role = if namespace == OFFICE { "Manager" } else { "Worker" };
    json!({ "lifecycle": { "afterTask": after }, "role": role })
}
