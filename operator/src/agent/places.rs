//! Who may be awake: places that a template or the installation limits, and who waits for one.
mod doubts;
mod line;
mod making;
mod order;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use komputer_events::AgentId;
use kube::{ResourceExt, runtime::reflector::ObjectRef};
use tokio::sync::mpsc;

pub use doubts::Doubts;
pub use line::{Place, Request};
pub use making::Making;
pub use order::{Limit, Order};

use self::line::{Doubt, Line};
use super::AgentPod;
use crate::{queue::Queue, watch::Change};
use komputer_crds::v1beta1::KomputerAgent;

/// The places of all agents. All ask here, one after the other, so that no two are given the last place; nothing of it
/// is stored, because pods say the same.
pub struct Places {
    line: Mutex<Line>,
    /// Pods of squads that agents are in, or may be.
    shared: Mutex<HashMap<AgentId, BTreeSet<String>>>,
    /// Pods of squads that may be being made.
    making: Arc<making::Pods>,
    /// Pods of their own that agents' controller may be making: apart, because it is there that an agent gives up its place.
    making_own: Arc<making::Pods>,
    agents: Queue<KomputerAgent>,
    doubts: mpsc::UnboundedSender<Doubt>,
}

impl Places {
    /// Places without a pod yet. At most `limit` agents of the whole installation are awake at a time, where it is
    /// given; `agents` takes those that are to be looked at because a place is theirs, or they come nearer to one.
    pub fn new(limit: Option<NonZeroU32>, agents: Queue<KomputerAgent>) -> (Self, Doubts) {
        let (doubts, doubted) = mpsc::unbounded_channel();
        let (line, shared) = (Mutex::new(Line::new(limit)), Mutex::default());
        let (making, making_own) = Default::default();
        (Self { line, shared, making, making_own, agents, doubts }, Doubts(doubted))
    }

    /// Asks for a place for an agent that wants a pod and has none. Where it is given, the pod may be made at once.
    pub fn ask(&self, id: &AgentId, request: Request) -> Place {
        let mut line = self.line();
        let place = line.ask(id, request);
        self.tell(line);
        place
    }

    /// The pod of a squad may be made with a place for the agent.
    pub fn may_be_in(&self, id: &AgentId, pod: String) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).entry(id.clone()).or_default().insert(pod);
    }

    /// The pod of a squad is decided about, and may be made, until this is dropped: its members ask for places meanwhile.
    pub fn makes(&self, namespace: &str, pod: &str) -> Making {
        self.making.begin(namespace, pod)
    }

    /// The agent's own pod is decided about, and may be made, until this is dropped: it may be deleted meanwhile.
    pub fn makes_own(&self, id: &AgentId) -> Making {
        self.making_own.begin(id.namespace(), id.name())
    }

    /// Where to look for the agent.
    fn pods_of(&self, id: &AgentId) -> BTreeSet<String> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get(id).into_iter().flatten().cloned().chain([id.name().to_owned()]).collect()
    }

    /// Whether a pod that it may be in is on its way.
    fn is_being_made(&self, id: &AgentId) -> bool {
        self.pods_of(id).iter().any(|pod| self.making.contains(id.namespace(), pod))
    }

    /// Forgets those pods, in which it is not.
    fn forget_pods(&self, id: &AgentId, pods: &BTreeSet<String>) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let left: BTreeSet<_> = shared.remove(id).into_iter().flatten().filter(|pod| !pods.contains(pod)).collect();
        if !left.is_empty() {
            shared.insert(id.clone(), left);
        }
    }

    fn note_shared(&self, pod: &AgentPod) {
        for name in pod.seats.keys() {
            if let Ok(id) = AgentId::new(pod.namespace().unwrap_or_default(), name) {
                self.may_be_in(&id, pod.name_any());
            }
        }
    }

    /// The agent wants no pod, or is gone: its place is free as soon as no pod of it is left. Answers whether none is, by
    /// the apiserver's own word; where some may be, the agent is looked at again once none is.
    pub fn leave(&self, id: &AgentId) -> bool {
        let may_be_let_in = self.is_being_made(id);
        let mut line = self.line();
        let is_gone = line.leave(id, may_be_let_in);
        self.tell(line);
        is_gone
    }

    /// An agent's pod has appeared, changed or gone.
    pub fn pod_changed(&self, pod: &AgentPod, change: Change) {
        self.note_shared(pod);
        let mut line = self.line();
        for (id, template) in places_of(pod) {
            match change {
                Change::Applied => line.pod_seen(&id, &template),
                Change::Deleted => line.pod_gone(&id),
            }
        }
        self.tell(line);
    }

    /// Begins to give places: `requests` are those of all agents that want a pod and have none. Who would ask first by
    /// chance does not go first.
    pub fn open(&self, requests: Vec<(AgentId, Request)>) {
        let mut line = self.line();
        line.open(requests);
        self.tell(line);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, mut line: MutexGuard<'_, Line>) {
        let news = line.news();
        for id in news.wake {
            self.agents.wake(ObjectRef::new(id.name()).within(id.namespace()));
        }
        for doubt in news.doubts {
            let _ = self.doubts.send(doubt);
        }
    }
}

/// Whose pod it is, and the template it was made from. In a squad's pod each has a place.
fn places_of(pod: &AgentPod) -> Vec<(AgentId, String)> {
    let namespace = pod.namespace().unwrap_or_default();
    let place = |name: &str, template| Some((AgentId::new(&namespace, name).ok()?, template));
    if pod.seats.is_empty() {
        let template = pod.template.clone().unwrap_or_default();
        return place(&pod.name_any(), template).into_iter().collect();
    }
    pod.seats.iter().filter_map(|(name, seat)| place(name, seat.template.clone())).collect()
}
