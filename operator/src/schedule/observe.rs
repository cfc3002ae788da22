use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use komputer_crds::v1beta1::{KomputerAgent, KomputerSchedule, KomputerScheduleStatus, KomputerTask};
use kube::{
    ResourceExt,
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};

use super::{agent::agent_name, decide::decide};
use crate::{carry_out::owner, controller::Controller, plan::Plan, task::TaskIndex};

/// The annotation of a schedule that people set: another value makes one run at once.
pub const TRIGGER: &str = "komputer.komputer.ai/trigger";

/// Makes schedules' tasks and agents, and keeps their statuses.
pub struct ScheduleController {
    /// Every agent.
    pub agents: Store<KomputerAgent>,
    /// Every task.
    pub tasks: Store<KomputerTask>,
    /// Which tasks are whose.
    pub index: Arc<TaskIndex>,
    /// Namespaces.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
}

/// All that decides about a schedule.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The schedule.
    pub schedule: Arc<KomputerSchedule>,
    /// The tasks it owns, oldest first.
    pub tasks: Vec<Arc<KomputerTask>>,
    /// The agent of the name that does its runs.
    pub agent: Option<Arc<KomputerAgent>>,
    /// The agent that did them, where the schedule names another now.
    pub former: Option<Arc<KomputerAgent>>,
    /// Whether its namespace is being deleted, where nothing can be made any more.
    pub namespace_is_going: bool,
    /// When its status was last written.
    pub written: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl Controller for ScheduleController {
    type Object = KomputerSchedule;
    type Observed = Observed;
    type Status = KomputerScheduleStatus;

    fn observe(&self, schedule: Arc<KomputerSchedule>, now: Timestamp, written: Option<Timestamp>) -> Observed {
        let namespace = schedule.namespace().unwrap_or_default();
        let agent = |name: &str| self.agents.get(&ObjectRef::new(name).within(&namespace));
        let name = agent_name(&schedule);
        let former = schedule.status.as_ref().and_then(|status| status.agent_name.as_deref());
        let going = self.namespaces.get(&ObjectRef::new(&namespace));
        Observed {
            tasks: self.tasks(&schedule, &namespace),
            former: former.filter(|former| *former != name).and_then(agent),
            agent: agent(&name),
            namespace_is_going: going.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some()),
            schedule,
            written,
            now,
        }
    }

    fn decide(observed: &Observed) -> Plan<KomputerScheduleStatus> {
        decide(observed)
    }
}

impl ScheduleController {
    fn tasks(&self, schedule: &KomputerSchedule, namespace: &str) -> Vec<Arc<KomputerTask>> {
        let uid = schedule.uid().unwrap_or_default();
        let names = self.index.owned_by(&uid);
        let found = names.iter().filter_map(|name| self.tasks.get(&ObjectRef::new(name).within(namespace)));
        let mut tasks: Vec<_> =
            found.filter(|task| owner(&task.metadata).is_some_and(|owner| owner.uid == uid)).collect();
        tasks.sort_by_key(|task| (task.creation_timestamp(), task.name_any()));
        tasks
    }
}
