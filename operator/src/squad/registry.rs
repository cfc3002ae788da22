//! Which squads have which agents, and who sits in which pod.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use komputer_crds::v1beta1::{KomputerAgent, KomputerSquad, SquadPhase};
use komputer_events::AgentId;
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::shared_pod_name;
use crate::{
    agent::{AgentPod, Membership},
    carry_out::owner,
    relation::Relation,
    watch::Change,
};

/// What is found by an agent's name: stores have no index of their own.
#[derive(Default)]
pub struct Registry(Mutex<Index>);

/// A squad by its namespace and name.
type Squad = (String, String);

#[derive(Default)]
struct Index {
    members: Relation<Squad, AgentId>,
    /// The pods that agents sit in, by name.
    pods: HashMap<AgentId, String>,
    /// Agents by the uid of the squad that made them.
    made: Relation<AgentId, String>,
}

impl Registry {
    /// Takes a change of a squad into account; answers whose squad it is, or was.
    pub fn squad_changed(&self, squad: &KomputerSquad, change: Change) -> BTreeSet<AgentId> {
        let id = (squad.namespace().unwrap_or_default(), squad.name_any());
        let names = squad.spec.members.iter().map(|member| &member.name);
        let members: BTreeSet<_> = match change {
            Change::Applied => names.filter_map(|name| AgentId::new(&id.0, name).ok()).collect(),
            Change::Deleted => BTreeSet::new(),
        };
        let changed = self.index().members.update(&id, members.clone());
        members.into_iter().chain(changed).collect()
    }

    /// Takes a change of a pod into account; answers who sits in it.
    pub fn pod_changed(&self, pod: &AgentPod, change: Change) -> Vec<AgentId> {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let seats = Some(&pod.seats).filter(|_| is_shared(pod));
        let agents: Vec<_> = seats
            .into_iter()
            .flat_map(BTreeMap::keys)
            .filter_map(|agent| AgentId::new(&namespace, agent).ok())
            .collect();
        let mut index = self.index();
        for agent in &agents {
            match change {
                Change::Applied => drop(index.pods.insert(agent.clone(), name.clone())),
                Change::Deleted => {
                    if index.pods.get(agent) == Some(&name) {
                        index.pods.remove(agent);
                    }
                }
            }
        }
        agents
    }

    /// Takes a change of an agent into account.
    pub fn agent_changed(&self, agent: &KomputerAgent, change: Change) {
        let Ok(id) = AgentId::new(agent.namespace().unwrap_or_default(), agent.name_any()) else { return };
        let maker = owner(&agent.metadata).filter(|owner| owner.kind == KomputerSquad::kind(&()));
        let maker = maker.filter(|_| change == Change::Applied).map(|owner| owner.uid.clone());
        self.index().made.update(&id, maker.into_iter().collect());
    }

    /// The names of the squads, of its namespace, that name the agent, or whose pod it sits in.
    pub fn squads_of(&self, agent: &AgentId) -> BTreeSet<String> {
        let index = self.index();
        let named = index.members.to(agent).into_iter().map(|(_, squad)| squad);
        let sits = index.pods.get(agent).and_then(|pod| squad_of(pod));
        named.chain(sits).collect()
    }

    /// The names of the agents that the squad of that uid made.
    pub(super) fn made_by(&self, uid: &str) -> BTreeSet<String> {
        self.index().made.to(&uid.to_owned()).iter().map(|agent| agent.name().to_owned()).collect()
    }

    fn pod_of(&self, agent: &AgentId) -> Option<String> {
        self.index().pods.get(agent).cloned()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a squad made the pod.
fn is_shared(pod: &impl Resource) -> bool {
    owner(pod.meta()).is_some_and(|owner| owner.kind == KomputerSquad::kind(&()))
}

/// The squad whose pod is called so.
fn squad_of(pod: &str) -> Option<String> {
    pod.strip_suffix(&shared_pod_name("")).map(str::to_owned)
}

/// All squads, found by their members. Cheap to clone.
#[derive(Clone)]
pub struct Squads {
    /// Whose they are.
    pub registry: Arc<Registry>,
    /// What they are.
    pub store: Store<KomputerSquad>,
    /// Whom they may have.
    pub agents: Store<KomputerAgent>,
}

impl Squads {
    /// The squad that has the agent: of several the oldest, or that whose name is first. One that is going or broken up
    /// has nobody, and one that is to make an agent has none that is another's.
    pub(super) fn keeper(&self, agent: &AgentId) -> Option<Arc<KomputerSquad>> {
        let names = self.registry.squads_of(agent);
        let squads = names.iter().filter_map(|name| self.store.get(&ObjectRef::new(name).within(agent.namespace())));
        let keeps = |squad: &Arc<KomputerSquad>| {
            let mut members = squad.spec.members.iter().filter(|member| member.name == agent.name());
            let is_member = members.any(|member| member.template.is_none() || !self.is_anothers(agent, squad));
            is_member && squad.metadata.deletion_timestamp.is_none() && squad.spec.break_up != Some(true)
        };
        squads.filter(keeps).min_by_key(|squad| (squad.creation_timestamp(), squad.name_any()))
    }

    /// Whether there is such an agent, and the squad has not made it, or one of its name before it.
    fn is_anothers(&self, agent: &AgentId, squad: &KomputerSquad) -> bool {
        let found = self.agents.get(&ObjectRef::new(agent.name()).within(agent.namespace()));
        let is_ours = |agent: &KomputerAgent| {
            owner(&agent.metadata)
                .is_some_and(|owner| owner.kind == KomputerSquad::kind(&()) && owner.name == squad.name_any())
        };
        found.is_some_and(|agent| !is_ours(&agent))
    }

    /// How the agent stands to the squad that has it, or whose pod it still sits in.
    pub(crate) fn membership(&self, agent: &AgentId, pods: &Store<AgentPod>) -> Option<Membership> {
        let pod = |name: &str| pods.get(&ObjectRef::new(name).within(agent.namespace()));
        let keeper = self.keeper(agent);
        let sits_in = self.registry.pod_of(agent).and_then(|name| pod(&name));
        let found =
            sits_in.or_else(|| pod(&shared_pod_name(&keeper.as_ref()?.name_any())).filter(|pod| is_shared(&**pod)));
        let pods_squad = found.as_ref().and_then(|pod| squad_of(&pod.name_any()));
        let keepers_name = keeper.as_ref().map(|squad| squad.name_any());
        let stays = keepers_name.is_some() && (pods_squad.is_none() || pods_squad == keepers_name);
        let squad = pods_squad.or(keepers_name)?;
        let phase = keeper.as_ref().and_then(|squad| squad.status.as_ref()?.phase);
        let seat = found.as_deref().and_then(|pod| pod.seats.get(agent.name()).cloned());
        Some(Membership { squad, stays, begins: stays && phase != Some(SquadPhase::Replacing), pod: found, seat })
    }
}
