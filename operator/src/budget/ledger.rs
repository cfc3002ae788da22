//! All budgets' books, in memory: whatever stands in them stands in statuses or statements too, and is read from there by who
//! leads next.
mod gone;

pub use gone::Predecessor;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerBudget, KomputerTask};
use komputer_events::{AgentId, Money};
use kube::{ResourceExt, runtime::reflector::ObjectRef};
use tokio::sync::Notify;

use super::{
    book::Known,
    claim::{Claim, Funds, Shortage, Work},
    namespace::Namespace,
    shares::Shares,
    statement::Statement,
    terms::{Meter, Terms},
};
use crate::{fold::AgentSummary, queue::Queue, task::TaskIndex, watch::Change};

/// Keeps the books, hands out what is left, and wakes whom it concerns.
pub struct Ledger {
    state: Mutex<State>,
    agents: Queue<KomputerAgent>,
    tasks: Queue<KomputerTask>,
    budgets: Queue<KomputerBudget>,
    index: Arc<TaskIndex>,
    /// Whether something may be done about agents that are gone.
    stirs: Notify,
}

#[derive(Default)]
struct State {
    leads: bool,
    /// Statements that are kept, by the agents' uids; nothing until they have been read.
    kept: Option<HashMap<String, Arc<Statement>>>,
    namespaces: HashMap<String, Namespace>,
    shortages: HashMap<AgentId, Shortage>,
}

/// What a budget's status says of its agents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What they have spent in this period.
    pub spent: Money,
    /// What their running tasks may still cost.
    pub reserved: Money,
    /// How many it is for.
    pub selected: usize,
    /// Those that are gone, whose share changes no more and is not counted as departed yet.
    pub leaving: Vec<Leaving>,
    /// The uids of those that are there, as far as caches show, and of those that are gone and not forgotten yet.
    pub known: BTreeSet<String>,
}

/// An agent that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Its uid.
    pub uid: String,
    /// What it has cost in this period.
    pub cost: Money,
}

impl Ledger {
    /// Books without entries; who is concerned by what is written into them is looked at.
    pub fn new(
        agents: Queue<KomputerAgent>,
        tasks: Queue<KomputerTask>,
        budgets: Queue<KomputerBudget>,
        index: Arc<TaskIndex>,
    ) -> Self {
        Self { state: Mutex::default(), agents, tasks, budgets, index, stirs: Notify::new() }
    }

    /// From now on agents say how they stand before their statuses do.
    pub fn lead(&self) {
        self.lock().leads = true;
    }

    /// Takes a change of an agent's object into account.
    pub fn agent_changed(&self, agent: &KomputerAgent, change: Change) {
        let (namespace, name) = (agent.namespace().unwrap_or_default(), agent.name_any());
        let mut state = self.lock();
        let State { leads, namespaces, kept, shortages } = &mut *state;
        let place = namespaces.entry(namespace.clone()).or_default();
        let known = (change == Change::Applied).then(|| known(agent));
        let statement = |uid: &str| kept.as_ref()?.get(uid).map(|statement| Statement::clone(statement));
        let gone = place.agent_changed(&name, known, *leads, statement);
        self.wake_budgets(&namespace, place);
        if gone.is_some() {
            self.wake(&namespace, place.waiting());
            shortages.retain(|id, _| id.name() != name || id.namespace() != namespace);
            self.stirs.notify_one();
        }
    }

    /// Takes a change of a budget into account.
    pub fn budget_changed(&self, budget: &KomputerBudget, change: Change) {
        let namespace = budget.namespace().unwrap_or_default();
        let mut state = self.lock();
        let place = state.namespaces.entry(namespace.clone()).or_default();
        let terms = (change == Change::Applied).then(|| Terms::of(budget)).flatten();
        if terms.is_none() && change == Change::Applied {
            return; // one that has become invalid goes on by what it said before
        }
        if place.budget_changed(&budget.name_any(), terms) {
            self.wake(&namespace, place.agents.keys().map(String::as_str));
            self.stirs.notify_one();
        }
    }

    /// The budgets that count what an agent costs.
    pub fn meters(&self, agent: &KomputerAgent) -> Vec<Meter> {
        let state = self.lock();
        let place = state.namespaces.get(&agent.namespace().unwrap_or_default());
        place.map(|place| place.meters(agent)).unwrap_or_default()
    }

    /// `shares` without those in budgets that are gone.
    pub fn existing(&self, namespace: &str, shares: Shares) -> Shares {
        let state = self.lock();
        let place = state.namespaces.get(namespace);
        shares.retain(|uid| place.is_some_and(|place| place.has_budget(uid)))
    }

    /// Takes into account how an agent stands, and gives its task what it may have.
    pub fn ask(&self, id: &AgentId, claim: Claim<'_>) -> Funds {
        let mut state = self.lock();
        let is_reading = state.kept.is_none();
        let Some(place) = state.namespaces.get_mut(id.namespace()) else { return Funds::default() };
        let no_more = claim.work.filter(|_| is_reading).map(|work| Work { goes_on: false, ..work.clone() });
        let (mut funds, others_may_have_more) = place.ask(Claim { work: no_more.as_ref().or(claim.work), ..claim });
        if is_reading && funds.counted.is_some() {
            let grant = no_more.and_then(|work| work.recorded);
            funds = Funds { grant, shortage: None, is_reading, ..funds };
        }
        if others_may_have_more {
            self.wake(id.namespace(), place.waiting().filter(|name| *name != id.name()));
        }
        let before = match &funds.shortage {
            Some(shortage) => state.shortages.insert(id.clone(), shortage.clone()),
            None => state.shortages.remove(id),
        };
        if before != funds.shortage {
            for task in self.index.of(id) {
                self.tasks.wake(ObjectRef::new(&task).within(id.namespace()));
            }
        }
        funds
    }

    /// Why an agent's task cannot go on, where budgets keep it from that.
    pub fn shortage(&self, id: &AgentId) -> Option<Shortage> {
        self.lock().shortages.get(id).cloned()
    }

    /// How a budget stands; nothing where it is not valid.
    pub fn standing(&self, budget: &KomputerBudget, now: Timestamp) -> Option<Standing> {
        let state = self.lock();
        state.namespaces.get(&budget.namespace()?)?.standing(&budget.name_any(), now)
    }

    fn wake_budgets(&self, namespace: &str, place: &Namespace) {
        for budget in place.books.keys() {
            self.budgets.wake(ObjectRef::new(budget).within(namespace));
        }
    }

    fn wake<'a>(&self, namespace: &str, agents: impl Iterator<Item = &'a str>) {
        for agent in agents {
            self.agents.wake(ObjectRef::new(agent).within(namespace));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an agent stands by its status.
pub(super) fn known(agent: &KomputerAgent) -> Known {
    let summary = AgentSummary::from(agent);
    let allowance = agent.status.as_ref().and_then(|status| status.allowance.as_ref());
    let runs = |uid: &str| summary.last_task.as_ref().is_none_or(|last| last.uid != uid || last.phase == "Running");
    let work = allowance
        .filter(|allowance| runs(&allowance.task_uid))
        .map(|allowance| Work::new(allowance.task_uid.clone(), false, &summary, Some(allowance)));
    Known {
        uid: agent.uid().unwrap_or_default(),
        labels: agent.labels().clone(),
        reserved: work.map(|work| work.left()).unwrap_or_default(),
        shares: summary.shares,
    }
}
