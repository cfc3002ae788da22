use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use komputer_crds::v1beta1::KomputerTask;
use komputer_events::AgentId;
use kube::ResourceExt;

use crate::watch::Change;

/// The names of every agent's tasks: a store has no index of its own.
#[derive(Default)]
pub struct TaskIndex(Mutex<HashMap<AgentId, BTreeSet<String>>>);

/// The agent a task is for, where its name can be one.
pub fn agent_of(task: &KomputerTask) -> Option<AgentId> {
    AgentId::new(task.namespace().unwrap_or_default(), &task.spec.agent_ref.name).ok()
}

impl TaskIndex {
    /// Takes a change of a task into account.
    pub fn update(&self, task: &KomputerTask, change: Change) {
        let Some(agent) = agent_of(task) else { return };
        let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Applied => {
                agents.entry(agent).or_default().insert(task.name_any());
            }
            Change::Deleted => {
                let Some(names) = agents.get_mut(&agent) else { return };
                names.remove(&task.name_any());
                if names.is_empty() {
                    agents.remove(&agent);
                }
            }
        }
    }

    /// The names of the agent's tasks.
    pub fn of(&self, agent: &AgentId) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(agent).cloned().unwrap_or_default()
    }
}
