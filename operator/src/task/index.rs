use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use komputer_crds::v1beta1::KomputerTask;
use komputer_events::AgentId;
use kube::ResourceExt;

use crate::{carry_out::owner, watch::Change};

/// The names of every agent's tasks, and of those that an object owns: a store has no index of its own.
#[derive(Default)]
pub struct TaskIndex {
    of_agents: Names<AgentId>,
    of_owners: Names<String>,
}

/// The agent a task is for, where its name can be one.
pub fn agent_of(task: &KomputerTask) -> Option<AgentId> {
    AgentId::new(task.namespace().unwrap_or_default(), &task.spec.agent_ref.name).ok()
}

impl TaskIndex {
    /// Takes a change of a task into account.
    pub fn update(&self, task: &KomputerTask, change: Change) {
        if let Some(agent) = agent_of(task) {
            self.of_agents.update(agent, task.name_any(), change);
        }
        if let Some(owner) = owner(&task.metadata) {
            self.of_owners.update(owner.uid.clone(), task.name_any(), change);
        }
    }

    /// The names of the agent's tasks.
    pub fn of(&self, agent: &AgentId) -> BTreeSet<String> {
        self.of_agents.of(agent)
    }

    /// The names of the tasks that the object of that uid owns.
    pub fn owned_by(&self, uid: &str) -> BTreeSet<String> {
        self.of_owners.of(uid)
    }
}

/// Names by what they belong to.
struct Names<K>(Mutex<HashMap<K, BTreeSet<String>>>);

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Names<K> {
    fn update(&self, key: K, name: String, change: Change) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Applied => {
                all.entry(key).or_default().insert(name);
            }
            Change::Deleted => {
                let Some(names) = all.get_mut(&key) else { return };
                names.remove(&name);
                if names.is_empty() {
                    all.remove(&key);
                }
            }
        }
    }

    fn of<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> BTreeSet<String>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }
}
