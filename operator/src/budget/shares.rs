//! What one agent has cost in the periods of its budgets: folded from its events, and written with the cursor.
use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use komputer_crds::v1beta1::BudgetShare;
use komputer_events::Money;
use serde::{Deserialize, Serialize};

use super::terms::Meter;

/// What an agent has cost in one period of one budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// When the period began; none where it has always been.
    pub start: Option<Timestamp>,
    /// The cost.
    pub cost: Money,
}

/// What an agent has cost, by the budgets' uids: of each the newest period it has cost something in.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(into = "Vec<BudgetShare>", from = "Vec<BudgetShare>")]
pub struct Shares(BTreeMap<String, Share>);

/// Budgets that one agent can be counted for (`status.budgets`).
const BUDGETS: usize = 64;

impl Share {
    /// Counts a cost in the period that begins at `start`. What belongs to a period that is over is not asked for any more.
    fn add(&mut self, start: Option<Timestamp>, cost: Money) {
        if start > self.start {
            *self = Self { start, cost };
        } else if start == self.start {
            self.cost = self.cost + cost;
        }
    }

    /// The cost in the period that began at `start`. An agent whose clock is ahead is counted at once.
    pub(super) fn since(self, start: Option<Timestamp>) -> Money {
        if self.start >= start { self.cost } else { Money::ZERO }
    }
}

impl Shares {
    /// Takes a cost into account that came about at that time.
    pub fn add(&mut self, meters: &[Meter], at: Timestamp, cost: Money) {
        for meter in meters {
            if self.0.len() < BUDGETS || self.0.contains_key(&meter.uid) {
                self.0.entry(meter.uid.clone()).or_default().add(meter.calendar.span(at).start, cost);
            }
        }
    }

    /// The share in a budget.
    pub fn of(&self, budget: &str) -> Option<Share> {
        self.0.get(budget).copied()
    }

    /// Without the budgets that `exists` does not know.
    #[must_use]
    pub fn retain(mut self, exists: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|uid, _| exists(uid));
        self
    }

    /// The uids of the budgets.
    pub fn budgets(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// As a status says it.
    pub fn to_status(&self) -> Vec<BudgetShare> {
        let share = |(uid, share): (&String, &Share)| BudgetShare {
            budget_uid: uid.clone(),
            period_start: share.start.map(Time),
            cost_usd: share.cost.to_string(),
        };
        self.0.iter().map(share).collect()
    }
}

impl From<&[BudgetShare]> for Shares {
    fn from(written: &[BudgetShare]) -> Self {
        let share = |share: &BudgetShare| {
            let cost = share.cost_usd.parse().unwrap_or_default();
            (share.budget_uid.clone(), Share { start: share.period_start.as_ref().map(|start| start.0), cost })
        };
        Self(written.iter().map(share).collect())
    }
}

impl From<Vec<BudgetShare>> for Shares {
    fn from(written: Vec<BudgetShare>) -> Self {
        Self::from(&*written)
    }
}

impl From<Shares> for Vec<BudgetShare> {
    fn from(shares: Shares) -> Self {
        shares.to_status()
    }
}
