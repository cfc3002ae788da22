//! What one budget knows of its agents.
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use komputer_events::Money;

use super::{allowance::Room, claim::Shortage, shares::Share, statement::Statement, terms::Terms};

/// A budget, and its agents by their uids.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) terms: Terms,
    pub(super) entries: HashMap<String, Entry>,
}

/// What a budget knows of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) share: Share,
    /// What its task may still cost.
    pub(super) reserved: Money,
    pub(super) waits: bool,
    /// Whether it is gone, and its share changes no more.
    pub(super) is_settled: bool,
}

/// An agent that is known, and how it stands by its status.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Known {
    pub(super) uid: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) shares: super::Shares,
    pub(super) reserved: Money,
}

impl Book {
    pub(super) fn new(terms: Terms) -> Self {
        Self { terms, entries: HashMap::new() }
    }

    /// Takes an agent's status into account. Who leads knows its agents better than their statuses: `is_new` only.
    pub(super) fn seed(&mut self, name: &str, known: &Known, overwrite: bool) {
        let share = known.shares.of(&self.terms.meter.uid);
        let selects = self.terms.selects(&known.labels);
        if share.is_none() && !selects || self.entries.contains_key(&known.uid) && !overwrite {
            return;
        }
        let reserved = if selects { known.reserved } else { Money::ZERO };
        let entry = Entry { name: name.into(), share: share.unwrap_or_default(), reserved, ..Entry::default() };
        self.entries.insert(known.uid.clone(), entry);
    }

    /// Goes on counting an agent that is gone.
    pub(super) fn keep(&mut self, gone: &Statement, is_settled: bool) {
        let share = gone.shares.of(&self.terms.meter.uid);
        let reserved = if gone.budgets.contains(&self.terms.meter.uid) { gone.reserved } else { Money::ZERO };
        if share.is_none() && reserved == Money::ZERO {
            self.entries.remove(&gone.uid);
            return;
        }
        let share = share.unwrap_or_default();
        let entry = Entry { name: gone.agent.name().into(), share, reserved, waits: false, is_settled };
        self.entries.insert(gone.uid.clone(), entry);
    }

    /// What was spent in the period that `now` is in.
    pub(super) fn spent(&self, now: Timestamp) -> Money {
        let start = self.terms.span(now).start;
        let departed = &self.terms.departed;
        let there = self.entries.iter().filter(|(uid, _)| !departed.agents.contains(*uid));
        there.map(|(_, entry)| entry.share.since(start)).sum::<Money>() + departed.since(start)
    }

    /// What running tasks may still cost.
    pub(super) fn reserved(&self) -> Money {
        self.entries.values().map(|entry| entry.reserved).sum()
    }

    /// What there is for an agent's task.
    pub(super) fn room(&self, agent: &str, now: Timestamp) -> Room {
        let own = self.entries.get(agent).map(|entry| entry.reserved).unwrap_or_default();
        let taken = self.spent(now) + self.reserved().saturating_sub(own);
        Room { limit: self.terms.limit, free: self.terms.limit.saturating_sub(taken) }
    }

    pub(super) fn shortage(&self, now: Timestamp) -> Shortage {
        Shortage { budget: self.terms.name.clone(), until: self.terms.span(now).end }
    }

    /// Agents that wait for what may be free now.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.entries.values().filter(|entry| entry.waits).map(|entry| entry.name.as_str())
    }
}
