//! What an agent asks for, and what it gets.
use std::collections::BTreeSet;

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, TaskAllowance};
use komputer_events::Money;

use super::{allowance::Grant, shares::Shares};
use crate::fold::AgentSummary;

/// What an agent asks for.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The agent.
    pub agent: &'a KomputerAgent,
    /// What its events come to.
    pub summary: &'a AgentSummary,
    /// What it works on, or begins next.
    pub work: Option<&'a Work>,
    /// Now.
    pub now: Timestamp,
}

/// A task that costs something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The task's uid.
    pub task: String,
    /// What it has cost.
    pub cost: Money,
    /// What it was last allowed to cost, as the agent's status has it.
    pub recorded: Option<Grant>,
    /// Whether it gets more; one that is to end does not.
    pub goes_on: bool,
}

impl Work {
    /// A task of an agent, with what the agent's status and events say of it.
    pub fn new(task: String, goes_on: bool, summary: &AgentSummary, recorded: Option<&TaskAllowance>) -> Self {
        let last = summary.last_task.as_ref().filter(|last| last.uid == task);
        let recorded = recorded.filter(|recorded| recorded.task_uid == task);
        Self {
            cost: last.map(|last| last.cost).unwrap_or_default(),
            recorded: recorded.and_then(|recorded| {
                Some(Grant { up_to: recorded.up_to_usd.parse().ok()?, budget: recorded.budget_name.clone() })
            }),
            task,
            goes_on,
        }
    }

    /// What it may have cost, as far as was recorded.
    pub fn recorded_up_to(&self) -> Option<Money> {
        Some(self.recorded.as_ref()?.up_to)
    }

    /// How much more it may cost, as far as was recorded.
    pub(super) fn left(&self) -> Money {
        self.recorded_up_to().unwrap_or_default().saturating_sub(self.cost)
    }
}

/// What an agent gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Funds {
    /// By whom it is counted, where budgets count what it costs.
    pub counted: Option<Counted>,
    /// What its task may cost; none where no budget limits it.
    pub grant: Option<Grant>,
    /// Why the task cannot go on, where it cannot.
    pub shortage: Option<Shortage>,
    /// Whether nobody gets anything yet, because it is not known what agents have cost that are gone.
    pub is_reading: bool,
}

/// Who counts what an agent costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The uids of the budgets that are for it.
    pub budgets: BTreeSet<String>,
    /// What its task may still cost.
    pub reserved: Money,
}

/// A budget that has nothing left for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The budget.
    pub budget: String,
    /// When it holds anew; none where it never does.
    pub until: Option<Timestamp>,
}

impl Shortage {
    /// What to tell people.
    pub fn words(&self) -> String {
        let until = match self.until {
            Some(until) => format!("at {until}, when its next period begins, or "),
            None => String::new(),
        };
        format!("KomputerBudget {} has nothing left; goes on {until}once spec.limitUSD is raised", self.budget)
    }
}

impl Claim<'_> {
    pub(super) fn shares(&self) -> &Shares {
        &self.summary.shares
    }
}
