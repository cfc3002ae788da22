//! What a budget says.
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use komputer_crds::v1beta1::{AgentSelector, BudgetAction, KomputerBudget};
use komputer_events::Money;
use kube::ResourceExt;

use super::period::{Calendar, Span};

/// What an agent's costs are counted by.
#[derive(Clone, Debug, PartialEq)]
pub struct Meter {
    /// The budget's uid.
    pub(super) uid: String,
    pub(super) calendar: Calendar,
}

/// A valid budget, and what its status holds of agents that are gone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Terms {
    pub(super) name: String,
    pub(super) generation: Option<i64>,
    pub(super) meter: Meter,
    pub(super) limit: Money,
    pub(super) stops: bool,
    selector: AgentSelector,
    pub(super) departed: Departed,
}

/// What agents have cost that are gone or going.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Departed {
    /// When the period began that it was counted in.
    pub(super) start: Option<Timestamp>,
    pub(super) cost: Money,
    /// Those that are there still, although they are counted here.
    pub(super) agents: BTreeSet<String>,
}

impl Terms {
    /// Nothing where the spec is not valid: admission refuses it, and the status says what is wrong.
    pub(super) fn of(budget: &KomputerBudget) -> Option<Self> {
        let spec = &budget.spec;
        Some(Self {
            name: budget.name_any(),
            generation: budget.metadata.generation,
            meter: Meter { uid: budget.uid()?, calendar: Calendar::of(spec)? },
            limit: spec.limit_usd.parse().ok()?,
            stops: spec.action.unwrap_or_default() == BudgetAction::Stop,
            selector: spec.selector.clone().unwrap_or_default(),
            departed: Departed::of(budget),
        })
    }

    pub(super) fn span(&self, now: Timestamp) -> Span {
        self.meter.calendar.span(now)
    }

    pub(super) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector.matches(labels)
    }
}

impl Departed {
    pub(super) fn of(budget: &KomputerBudget) -> Self {
        let Some(status) = &budget.status else { return Self::default() };
        Self {
            start: status.period_start.as_ref().map(|start| start.0),
            cost: status.departed_usd.as_ref().and_then(|cost| cost.parse().ok()).unwrap_or_default(),
            agents: status.departing.iter().cloned().collect(),
        }
    }

    /// The cost in the period that began at `start`.
    pub(super) fn since(&self, start: Option<Timestamp>) -> Money {
        if self.start >= start { self.cost } else { Money::ZERO }
    }
}
