//! All that decides about an agent.
use std::sync::Arc;

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerConnector, KomputerTask, TaskPhase};
use komputer_events::AgentId;
use kube::{Resource, ResourceExt};

use super::{
    AgentPod, AgentVolume, Making, Membership, Seat, knowledge::Knowledge, places::Place, template::Resolved,
    waves::Replacement,
};
use crate::{
    budget::{Funds, Predecessor, Statement, Work},
    fold::AgentSummary,
    keys::MasterKey,
    settings::Settings,
    vault::Opened,
};

/// All that decides about an agent.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The agent.
    pub agent: Arc<KomputerAgent>,
    /// Its template, where there is one of that name.
    pub template: Option<Resolved>,
    /// What it is to know.
    pub knowledge: Knowledge,
    /// Its connectors.
    pub connectors: Vec<Arc<KomputerConnector>>,
    /// What opens them, as far as it has been read for the task that it works on or begins next.
    pub secrets: Opened,
    /// The managers above it, the nearest first; where they go in a circle, the last is there twice.
    pub managers: Vec<String>,
    /// Whether it asks something of its office, and nobody has opened one for it.
    pub lacks_office: bool,
    /// Its pod, or one of its name that another object owns.
    pub pod: Option<Arc<AgentPod>>,
    /// The squad that has it, or whose pod it still sits in.
    pub squad: Option<Membership>,
    /// Its workspace, or one of its name that another object owns.
    pub volume: Option<Arc<AgentVolume>>,
    /// Whether the workspace's storage class lets it grow, where that is known.
    pub volume_can_grow: Option<bool>,
    /// Whether a pod may be made for it, where it wants one and has none.
    pub place: Place,
    /// Kept until what is decided is done: its own pod may be made until then.
    pub making: Option<Arc<Making>>,
    /// Whether its pod was made before a change, where that is known.
    pub is_outdated: Option<bool>,
    /// Whether its pod may be replaced, where it works well and was made before a change, or is new in the place of another.
    pub replacement: Replacement,
    /// Whether its namespace has the agents' service account and network policies.
    pub namespace_is_prepared: bool,
    /// Whether its namespace is being deleted, where nothing can be made any more.
    pub namespace_is_going: bool,
    /// Its tasks, oldest first, and where each stands by the newest that is known.
    pub tasks: Vec<(Arc<KomputerTask>, TaskPhase)>,
    /// What its events come to.
    pub summary: AgentSummary,
    /// What it works on, or begins next.
    pub work: Option<Work>,
    /// What budgets let that cost.
    pub funds: Funds,
    /// What is kept of that for when it is gone, where anything is.
    pub statement: Option<Arc<Statement>>,
    /// Another agent of its name that was before it.
    pub predecessor: Predecessor,
    /// The installation's settings.
    pub settings: Arc<Settings>,
    /// What secrets are derived from.
    pub master: MasterKey,
    /// When its status was last written.
    pub written: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl Observed {
    /// The agent's uid.
    pub fn uid(&self) -> &str {
        self.agent.metadata.uid.as_deref().unwrap_or_default()
    }

    /// What places are kept by.
    pub(super) fn id(&self) -> Option<AgentId> {
        AgentId::new(self.agent.namespace()?, self.agent.name_any()).ok()
    }

    /// Whether it has a pod, or its squad has, which is never taken from it to make room for another.
    pub(super) fn has_pod(&self) -> bool {
        self.has_own_pod() || self.squad.as_ref().is_some_and(|squad| squad.pod.is_some())
    }

    /// Whether it has a pod to itself.
    pub(crate) fn has_own_pod(&self) -> bool {
        self.pod.as_deref().is_some_and(|pod| self.owns(pod))
    }

    /// Its seat in a squad's pod.
    pub(crate) fn seat(&self) -> Option<&Seat> {
        self.squad.as_ref()?.seat.as_ref()
    }

    /// The pod that it is in.
    pub(super) fn its_pod(&self) -> Option<&AgentPod> {
        let shared = || self.squad.as_ref().filter(|squad| squad.seat.is_some())?.pod.as_deref();
        self.pod.as_deref().or_else(shared)
    }

    /// Whether it is in the middle of a task.
    pub(crate) fn works(&self) -> bool {
        self.tasks.iter().any(|(_, phase)| *phase == TaskPhase::Running)
    }

    /// Whether the object with these owners is this agent's.
    pub fn owns(&self, object: &impl Resource) -> bool {
        object.meta().owner_references.iter().flatten().any(|owner| owner.uid == self.uid())
    }
}

#[cfg(test)]
impl Observed {
    /// A new agent in a prepared namespace, with a template and a place.
    pub(crate) fn of(agent: KomputerAgent) -> Self {
        use crate::{agent::ModelKey, keys::Sensitive};
        let (kind, template) = Default::default();
        let settings = Settings {
            namespace: "komputer-system".into(),
            agent_image: "agent:1".into(),
            agent_redis_address: "redis:6379".into(),
        };
        Self {
            agent: Arc::new(agent),
            template: Some(Resolved { kind, template, key: ModelKey::Copied(Sensitive::new("k")) }),
            knowledge: Knowledge::Complete(vec![]),
            connectors: vec![],
            secrets: Opened::Reading,
            managers: vec![],
            lacks_office: false,
            pod: None,
            squad: None,
            volume: None,
            volume_can_grow: None,
            place: Place::default(),
            making: None,
            is_outdated: None,
            replacement: Replacement::default(),
            namespace_is_prepared: true,
            namespace_is_going: false,
            tasks: vec![],
            summary: AgentSummary::default(),
            work: None,
            funds: Funds::default(),
            statement: None,
            predecessor: Predecessor::Over,
            settings: Arc::new(settings),
            master: MasterKey::new([7; 64]),
            written: None,
            now: Timestamp::UNIX_EPOCH,
        }
    }
}
