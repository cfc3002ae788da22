use std::sync::Arc;

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerTask, KomputerTaskStatus};
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    decide,
    index::{TaskIndex, agent_of},
    replacement,
};
use crate::{
    budget::{Ledger, Shortage},
    controller::Controller,
    fold::TaskSummary,
    inbox::Inbox,
    plan::Plan,
};

/// Keeps tasks' statuses.
pub struct TaskController {
    /// Whether the agent exists.
    pub agents: Store<KomputerAgent>,
    /// Tasks.
    pub tasks: Store<KomputerTask>,
    /// Which of them are whose.
    pub index: Arc<TaskIndex>,
    /// What agents said.
    pub inbox: Arc<Inbox>,
    /// What budgets let agents cost.
    pub ledger: Arc<Ledger>,
}

/// All that decides about a task.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The task.
    pub task: Arc<KomputerTask>,
    /// Whether its agent exists.
    pub agent_exists: bool,
    /// The task that takes its place, where one does.
    pub replaced_by: Option<String>,
    /// Why it cannot go on, where budgets keep its agent from that.
    pub shortage: Option<Shortage>,
    /// What its events come to.
    pub summary: TaskSummary,
    /// When its status was last written.
    pub written: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl Controller for TaskController {
    type Object = KomputerTask;
    type Observed = Observed;
    type Status = KomputerTaskStatus;

    fn observe(&self, task: Arc<KomputerTask>, now: Timestamp, written: Option<Timestamp>) -> Observed {
        let namespace = task.namespace().unwrap_or_default();
        let reference = ObjectRef::new(&task.spec.agent_ref.name).within(&namespace);
        let arrived = agent_of(&task).and_then(|agent| self.inbox.task(&agent, &task.uid().unwrap_or_default()));
        let summary = TaskSummary::newer(&task, arrived);
        let shortage = agent_of(&task).and_then(|agent| self.ledger.shortage(&agent));
        Observed {
            agent_exists: self.agents.get(&reference).is_some(),
            replaced_by: self.replaced_by(&task),
            shortage,
            task,
            summary,
            written,
            now,
        }
    }

    fn decide(observed: &Observed) -> Plan<KomputerTaskStatus> {
        decide(observed)
    }
}

impl TaskController {
    fn replaced_by(&self, task: &KomputerTask) -> Option<String> {
        let agent = agent_of(task)?;
        let name = |name: &String| ObjectRef::new(name).within(agent.namespace());
        let tasks: Vec<_> = self.index.of(&agent).iter().filter_map(|task| self.tasks.get(&name(task))).collect();
        replacement(task, tasks.iter().map(|task| &**task))
    }
}
