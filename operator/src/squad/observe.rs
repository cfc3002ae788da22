use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerSquad, KomputerSquadStatus, SquadMember};
use komputer_events::AgentId;
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::{Squads, decide::decide, shared_pod_name};
use crate::{
    agent::{self, AgentController, AgentPod, Making},
    controller::Controller,
    keys::MasterKey,
    plan::Plan,
    settings::Settings,
};

/// Makes squads' pods and agents, and keeps their statuses.
pub struct SquadController {
    /// Looks at members as their own controller does.
    pub members: AgentController,
    /// Every agent.
    pub agents: Store<KomputerAgent>,
    /// Whose member is whose.
    pub squads: Squads,
}

/// All that decides about a squad.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The squad.
    pub squad: Arc<KomputerSquad>,
    /// Its members, as its spec lists them.
    pub members: Vec<Member>,
    /// Agents that sit in its pod and are no members any more.
    pub leaving: Vec<agent::Observed>,
    /// Agents that it made and that are no members any more.
    pub former: Vec<Arc<KomputerAgent>>,
    /// Its pod, or one of its name that another object owns.
    pub pod: Option<Arc<AgentPod>>,
    /// Kept until what is decided is done: the pod may be made until then.
    pub making: Option<Arc<Making>>,
    /// Whether its namespace is being deleted, where nothing can be made any more.
    pub namespace_is_going: bool,
    /// The installation's settings.
    pub settings: Arc<Settings>,
    /// What secrets are derived from.
    pub master: MasterKey,
    /// When its status was last written.
    pub written: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

/// A member of a squad.
#[derive(Clone, Debug)]
pub struct Member {
    /// What the squad says of it.
    pub spec: SquadMember,
    /// Another squad that has it.
    pub keeper: Option<String>,
    /// The agent, where there is one.
    pub agent: Option<agent::Observed>,
}

impl Observed {
    /// Whether the object is this squad's.
    pub(super) fn owns(&self, object: &impl Resource) -> bool {
        object
            .meta()
            .owner_references
            .iter()
            .flatten()
            .any(|owner| Some(&owner.uid) == self.squad.metadata.uid.as_ref())
    }
}

impl Controller for SquadController {
    type Object = KomputerSquad;
    type Observed = Observed;
    type Status = KomputerSquadStatus;
    // The members of a squad come to their ends together.
    const DEBOUNCE: Duration = Duration::from_millis(50);

    fn observe(&self, squad: Arc<KomputerSquad>, now: Timestamp, written: Option<Timestamp>) -> Observed {
        let (namespace, name) = (squad.namespace().unwrap_or_default(), squad.name_any());
        let is_member = |name: &str| squad.spec.members.iter().any(|member| member.name == name);
        let caches = &self.members.caches;
        let making = self.members.places.makes(&namespace, &shared_pod_name(&name));
        let pod = caches.pods.get(&ObjectRef::new(&shared_pod_name(&name)).within(&namespace));
        let seated = pod.iter().flat_map(|pod| pod.seats.keys());
        let leaving: Vec<_> = seated.filter(|seated| !is_member(seated)).cloned().collect();
        let made = self.squads.registry.made_by(&squad.uid().unwrap_or_default());
        let former = made.iter().filter(|made| !is_member(made));
        let going = caches.namespaces.get(&ObjectRef::new(&namespace));
        Observed {
            members: squad.spec.members.iter().map(|member| self.member(&squad, &namespace, member, now)).collect(),
            leaving: leaving.iter().filter_map(|name| self.agent(&namespace, name, now)).collect(),
            former: former.filter_map(|name| self.agents.get(&ObjectRef::new(name).within(&namespace))).collect(),
            pod,
            making: Some(Arc::new(making)),
            namespace_is_going: going.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some()),
            settings: self.members.settings.clone(),
            master: self.members.master.clone(),
            squad,
            written,
            now,
        }
    }

    fn decide(observed: &Observed) -> Plan<KomputerSquadStatus> {
        decide(observed)
    }
}

impl SquadController {
    fn member(&self, squad: &KomputerSquad, namespace: &str, member: &SquadMember, now: Timestamp) -> Member {
        let keeper = AgentId::new(namespace, &member.name).ok().and_then(|id| self.squads.keeper(&id));
        let keeper = keeper.map(|keeper| keeper.name_any()).filter(|keeper| *keeper != squad.name_any());
        Member { spec: member.clone(), keeper, agent: self.agent(namespace, &member.name, now) }
    }

    fn agent(&self, namespace: &str, name: &str, now: Timestamp) -> Option<agent::Observed> {
        let agent = self.agents.get(&ObjectRef::new(name).within(namespace))?;
        Some(self.members.observe(agent, now, None))
    }
}
