//! Who is replaced now of the agents whose pods were made before a change: few at a time, so that what a change breaks, it
//! breaks for few.
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use komputer_crds::v1beta1::{KomputerAgent, MaxUnavailable};
use komputer_events::AgentId;
use kube::{ResourceExt, runtime::reflector::ObjectRef};

use super::{AgentPod, PodState, pod_state};
use crate::queue::Queue;

/// Whether an agent may be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replacement {
    /// It does not ask.
    #[default]
    Unasked,
    /// It may, or it has been and is not ready yet.
    Granted,
    /// It waits for others.
    Waits {
        /// So many are replaced at a time.
        at_most: usize,
    },
}

/// Everybody's replacement. New pods say that they replace others, so that who leads next knows it too; what is lost with a
/// process is what it granted to those whose new pod was not made yet.
pub struct Waves {
    state: Mutex<State>,
    agents: Queue<KomputerAgent>,
}

#[derive(Default)]
struct State {
    waves: HashMap<Group, Wave>,
    members: HashMap<AgentId, Group>,
}

/// The agents of a namespace that are made from a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Group {
    namespace: String,
    template: String,
}

/// The agents of a group that are replaced, and are to be.
#[derive(Default)]
struct Wave {
    granted: BTreeSet<AgentId>,
    waiting: BTreeSet<AgentId>,
    /// How many were awake at its beginning.
    awake: usize,
    at_most: usize,
}

impl Waves {
    /// Nobody is replaced; `agents` takes those that may be from then on.
    pub fn new(agents: Queue<KomputerAgent>) -> Self {
        Self { state: Mutex::default(), agents }
    }

    /// Goes on where another left off, by the pods there are.
    pub fn resume<'a>(&self, pods: impl IntoIterator<Item = &'a AgentPod>) {
        let mut state = self.lock();
        for pod in pods {
            let is_ready = matches!(pod_state(pod), PodState::Ready { .. });
            let id = AgentId::new(pod.namespace().unwrap_or_default(), pod.name_any());
            if let (Ok(id), true, false, Some(template)) = (id, pod.is_replacement, is_ready, &pod.template) {
                state.enter(&id, Group::of(&id, template)).granted.insert(id);
            }
        }
    }

    /// An agent that works well is to be replaced. `awake` counts the agents of its namespace that are made from its template
    /// and have a pod.
    pub fn ask(
        &self,
        id: &AgentId,
        template: &str,
        most: MaxUnavailable,
        awake: impl FnOnce() -> usize,
    ) -> Replacement {
        let group = Group::of(id, template);
        let before = self.lock().members.get(id).cloned();
        if before.is_some_and(|before| before != group) {
            self.leave(id);
        }
        let mut state = self.lock();
        let wave = state.enter(id, group);
        if wave.awake == 0 {
            wave.awake = awake();
        }
        wave.at_most = most.of(wave.awake);
        if wave.granted.contains(id) {
            return Replacement::Granted;
        }
        if wave.granted.len() < wave.at_most {
            wave.waiting.remove(id);
            wave.granted.insert(id.clone());
            return Replacement::Granted;
        }
        wave.waiting.insert(id.clone());
        Replacement::Waits { at_most: wave.at_most }
    }

    /// Where an agent stands that does not ask.
    pub fn standing(&self, id: &AgentId) -> Replacement {
        let state = self.lock();
        let wave = state.members.get(id).and_then(|group| state.waves.get(group));
        let is_granted = wave.is_some_and(|wave| wave.granted.contains(id));
        if is_granted { Replacement::Granted } else { Replacement::Unasked }
    }

    /// The agent is ready with its new pod, or is not to be replaced any more.
    pub fn leave(&self, id: &AgentId) {
        for next in self.lock().leave(id) {
            self.agents.wake(ObjectRef::new(next.name()).within(next.namespace()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn of(id: &AgentId, template: &str) -> Self {
        Self { namespace: id.namespace().into(), template: template.into() }
    }
}

impl State {
    fn enter(&mut self, id: &AgentId, group: Group) -> &mut Wave {
        self.members.insert(id.clone(), group.clone());
        self.waves.entry(group).or_default()
    }

    /// Answers who may be replaced then.
    fn leave(&mut self, id: &AgentId) -> Vec<AgentId> {
        let Some(group) = self.members.remove(id) else { return Vec::new() };
        let Some(wave) = self.waves.get_mut(&group) else { return Vec::new() };
        wave.granted.remove(id);
        wave.waiting.remove(id);
        let free = wave.at_most.saturating_sub(wave.granted.len());
        let next = wave.waiting.iter().take(free).cloned().collect();
        if wave.granted.is_empty() && wave.waiting.is_empty() {
            self.waves.remove(&group);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use serde_json::json;

    use super::*;

    fn id(name: &str) -> AgentId {
        AgentId::new("team", name).unwrap()
    }

    fn two() -> MaxUnavailable {
        serde_json::from_value(json!(2)).unwrap()
    }

    fn waves() -> Waves {
        let queue = Queue::default();
        queue.open(reflector::store().0);
        Waves::new(queue)
    }

    fn woken(waves: &Waves) -> Vec<String> {
        std::iter::from_fn(|| waves.agents.take()).map(|agent| agent.name).collect()
    }

    const WAITS: Replacement = Replacement::Waits { at_most: 2 };

    #[test]
    fn the_next_is_replaced_once_one_is_ready_and_other_templates_and_namespaces_do_not_count() {
        let waves = waves();
        let ask = |name| waves.ask(&id(name), "small", two(), || 9);
        assert_eq!(["a", "b", "c", "d", "a"].map(ask), [GRANTED, GRANTED, WAITS, WAITS, GRANTED]);
        assert_eq!(waves.ask(&id("e"), "large", two(), || 9), GRANTED);
        assert_eq!(waves.ask(&AgentId::new("other", "a").unwrap(), "small", two(), || 9), GRANTED);
        assert_eq!((waves.standing(&id("a")), waves.standing(&id("c"))), (GRANTED, Replacement::Unasked));
        assert_eq!(woken(&waves), [""; 0]);
        waves.leave(&id("b"));
        assert_eq!(woken(&waves), ["c"]);
        assert_eq!(["c", "d"].map(ask), [GRANTED, WAITS]);
        waves.leave(&id("d"));
        waves.leave(&id("a"));
        waves.leave(&id("c"));
        assert_eq!(woken(&waves), [""; 0], "who waits no more is not woken");
        waves.leave(&id("e"));
        waves.leave(&AgentId::new("other", "a").unwrap());
        let state = waves.lock();
        assert!(state.waves.is_empty() && state.members.is_empty(), "nothing is remembered of it");
    }

    #[test]
    fn how_many_it_may_be_is_counted_once_a_wave_and_follows_the_template() {
        let waves = waves();
        let half: MaxUnavailable = serde_json::from_value(json!("50%")).unwrap();
        assert_eq!(waves.ask(&id("a"), "small", half, || 2), GRANTED);
        assert_eq!(waves.ask(&id("b"), "small", half, || 99), Replacement::Waits { at_most: 1 });
        assert_eq!(waves.ask(&id("b"), "small", two(), || 99), GRANTED, "the template has more by now");
    }

    #[test]
    fn who_changes_the_template_leaves_room_to_others() {
        let waves = waves();
        let ask = |name| waves.ask(&id(name), "small", two(), || 9);
        assert_eq!(["a", "b", "c"].map(ask), [GRANTED, GRANTED, WAITS]);
        assert_eq!(waves.ask(&id("a"), "large", two(), || 9), GRANTED);
        assert_eq!(woken(&waves), ["c"]);
    }

    #[test]
    fn who_leads_next_goes_on_with_those_that_are_not_ready() {
        let pod = |name: &str, replaces: bool, ready: &str| -> AgentPod {
            let replaces = if replaces { "true" } else { "false" };
            let annotations = json!({ "komputer.ai/template": "small", "komputer.ai/replacement": replaces });
            let conditions = json!([{ "type": "Ready", "status": ready }]);
            serde_json::from_value(json!({
                "metadata": { "name": name, "namespace": "team", "annotations": annotations },
                "status": { "phase": "Running", "podIP": "10.0.0.1", "conditions": conditions },
            }))
            .unwrap()
        };
        let waves = waves();
        let pods =
            [pod("new", false, "False"), pod("done", true, "True"), pod("a", true, "False"), pod("b", true, "False")];
        waves.resume(&pods);
        assert_eq!(waves.ask(&id("c"), "small", two(), || 9), WAITS);
        assert_eq!([waves.standing(&id("a")), waves.standing(&id("new"))], [GRANTED, Replacement::Unasked]);
        waves.leave(&id("a"));
        assert_eq!(woken(&waves), ["c"]);
    }

    const GRANTED: Replacement = Replacement::Granted;
}
