//! What is known of agents by their statements, and of those that are gone.
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use komputer_events::AgentId;

use super::{Ledger, State};
use crate::budget::{namespace::Gone, shares::Shares, statement::Statement, terms::Meter};

/// Another agent of an agent's name that was before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Predecessor {
    /// There is none, or nothing is left of it.
    #[default]
    Over,
    /// Whether there is one is not known before statements have been read.
    Unknown,
    /// It is gone, and not all is done about that.
    Leaving,
}

impl Ledger {
    /// The statement of an agent that is kept.
    pub fn statement(&self, uid: &str) -> Option<Arc<Statement>> {
        self.lock().kept.as_ref()?.get(uid).cloned()
    }

    /// Whether it is not known yet what agents have cost that are gone.
    pub fn is_reading(&self) -> bool {
        self.lock().kept.is_none()
    }

    /// An agent's statement is kept now.
    pub(in crate::budget) fn keeps(&self, statement: Statement) {
        let mut state = self.lock();
        let State { kept: Some(kept), namespaces, .. } = &mut *state else { return };
        let place = namespaces.entry(statement.agent.namespace().into()).or_default();
        if !place.has_agent(statement.agent.name(), &statement.uid) {
            place.leave(statement.clone()); // it has gone meanwhile
            self.stirs.notify_one();
        }
        kept.insert(statement.uid.clone(), Arc::new(statement));
    }

    /// Whether the agent is there, as far as caches show.
    pub(in crate::budget) fn has_agent(&self, id: &AgentId, uid: &str) -> bool {
        self.lock().namespaces.get(id.namespace()).is_some_and(|place| place.has_agent(id.name(), uid))
    }

    /// Whether any agent of that name is there, as far as caches show.
    pub(in crate::budget) fn has_agent_of_name(&self, id: &AgentId) -> bool {
        self.lock().namespaces.get(id.namespace()).is_some_and(|place| place.agents.contains_key(id.name()))
    }

    /// All statements that Redis keeps have been read, some of agents that are gone; those of others that it has lost are
    /// written anew.
    pub(in crate::budget) fn has_read(&self, found: Vec<Statement>, exists: impl Fn(&Statement) -> bool) {
        let mut state = self.lock();
        let State { kept, namespaces, .. } = &mut *state;
        let uids: HashSet<_> = found.iter().map(|statement| statement.uid.clone()).collect();
        let kept = kept.get_or_insert_with(|| {
            self.agents.wake_all();
            self.budgets.wake_all();
            // Later such are known, or were forgotten while they were read.
            found.into_iter().map(|statement| (statement.uid.clone(), Arc::new(statement))).collect()
        });
        kept.retain(|uid, statement| {
            let (namespace, name) = (statement.agent.namespace(), statement.agent.name());
            let place = namespaces.entry(namespace.to_owned()).or_default();
            let is_there = exists(statement);
            if !is_there && !place.gone.contains_key(uid) {
                place.leave(Statement::clone(statement));
            }
            let is_lost = is_there && !uids.contains(uid);
            if is_lost {
                self.wake(namespace, std::iter::once(name));
            }
            !is_lost
        });
        self.stirs.notify_one();
    }

    /// Waits until something may be done about agents that are gone.
    pub(in crate::budget) async fn stirs(&self) {
        self.stirs.notified().await;
    }

    /// Agents that are gone, by their names.
    pub(in crate::budget) fn gone(&self) -> BTreeMap<AgentId, Vec<Gone>> {
        let state = self.lock();
        let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for gone in state.namespaces.values().flat_map(|place| place.gone.values()) {
            by_name.entry(gone.statement.agent.clone()).or_default().push(gone.clone());
        }
        by_name
    }

    /// Whether any agent is gone about which not all is done.
    pub fn has_gone(&self) -> bool {
        self.lock().namespaces.values().any(|place| !place.gone.is_empty())
    }

    /// The uids of agents that are gone and not forgotten yet.
    #[cfg(test)]
    pub(crate) fn gone_uids(&self) -> Vec<String> {
        self.lock().namespaces.values().flat_map(|place| place.gone.keys().cloned()).collect()
    }

    /// Whether another agent of that name is gone and not forgotten yet.
    pub fn has_predecessor(&self, id: &AgentId, uid: &str) -> bool {
        let state = self.lock();
        state.namespaces.get(id.namespace()).is_some_and(|place| place.has_predecessor(id.name(), uid))
    }

    /// Whether there is such an agent, as far as is known.
    pub fn predecessor(&self, id: &AgentId, uid: &str) -> Predecessor {
        let state = self.lock();
        let Some(place) = state.namespaces.get(id.namespace()) else { return Predecessor::Over };
        if place.has_predecessor(id.name(), uid) {
            Predecessor::Leaving
        } else if state.kept.is_none() && !place.books.is_empty() {
            Predecessor::Unknown
        } else {
            Predecessor::Over
        }
    }

    /// The budgets that count what an agent costs that is gone.
    pub(in crate::budget) fn meters_of(&self, gone: &Statement) -> Vec<Meter> {
        let state = self.lock();
        let place = state.namespaces.get(gone.agent.namespace());
        place.map(|place| place.meters_of(&gone.budgets)).unwrap_or_default()
    }

    /// An agent is there that was taken for gone.
    pub(in crate::budget) fn is_back(&self, agent: &Statement) {
        if let Some(place) = self.lock().namespaces.get_mut(agent.agent.namespace()) {
            place.gone.remove(&agent.uid);
        }
    }

    /// All that an agent said that is gone has been read, and came to this.
    pub(in crate::budget) fn settle(&self, gone: &Statement, shares: Shares) {
        let mut state = self.lock();
        let Some(place) = state.namespaces.get_mut(gone.agent.namespace()) else { return };
        place.settle(&gone.uid, shares);
        self.wake(gone.agent.namespace(), place.waiting());
        self.wake_budgets(gone.agent.namespace(), place);
    }

    /// Whether budgets have for good what an agent has cost.
    pub(in crate::budget) fn is_counted_for_good(&self, gone: &Statement) -> bool {
        let state = self.lock();
        let place = state.namespaces.get(gone.agent.namespace());
        place.is_none_or(|place| place.is_counted_for_good(&gone.uid))
    }

    /// Nothing is left of agents of one name that are gone.
    pub(in crate::budget) fn forget(&self, agent: &AgentId, uids: &[String]) {
        let mut state = self.lock();
        state.kept.iter_mut().for_each(|kept| kept.retain(|uid, _| !uids.contains(uid)));
        let Some(place) = state.namespaces.get_mut(agent.namespace()) else { return };
        uids.iter().for_each(|uid| place.forget(uid));
        self.wake(agent.namespace(), std::iter::once(agent.name()));
        self.wake_budgets(agent.namespace(), place);
    }
}
