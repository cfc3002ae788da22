//! Anything in any order: agents that come to want and cease to, caches that lag, pods that cannot be made or are lost, and
//! operators that die. Never more pods than there are places, never a place free while somebody waits for it.
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    line::{News, Place},
    *,
};

const NAMESPACES: [&str; 2] = ["a", "b"];
const TEMPLATES: [&str; 2] = ["big", "small"];
const AGENTS: usize = 12;

#[derive(Clone, Debug)]
enum Step {
    /// The agent comes to want a pod, or ceases to.
    Toggle(Index),
    Reprioritize(Index, i32),
    ChangeTemplate(Index),
    Limit(Index, u32),
    /// One of the agents to be looked at is looked at.
    Reconcile(Index),
    /// The apiserver answers a request to make a pod.
    Answer(Index, bool),
    /// The pod is gone, whoever did that.
    Lose(Index),
    /// The next event arrives in the cache.
    Watch,
    /// Somebody is told of what has arrived.
    Tell,
    /// The watch begins anew.
    List,
    /// The apiserver is asked, or has answered, what nobody knows.
    Doubt(Index),
    Resolve(Index),
    /// The operator dies, and another leads.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        4 => index().prop_map(Step::Toggle),
        1 => (index(), -1..2).prop_map(|(agent, priority)| Step::Reprioritize(agent, priority)),
        1 => index().prop_map(Step::ChangeTemplate),
        1 => (index(), 0..4_u32).prop_map(|(template, limit)| Step::Limit(template, limit)),
        12 => index().prop_map(Step::Reconcile),
        8 => (index(), prop::bool::weighted(0.8)).prop_map(|(agent, ok)| Step::Answer(agent, ok)),
        2 => index().prop_map(Step::Lose),
        6 => Just(Step::Watch),
        6 => Just(Step::Tell),
        1 => Just(Step::List),
        2 => index().prop_map(Step::Doubt),
        2 => index().prop_map(Step::Resolve),
        1 => Just(Step::Restart),
    ]
}

#[derive(Clone, Debug)]
struct Agent {
    wants: bool,
    priority: i32,
    template: usize,
}

/// Who waits, for which template, and what each was told.
type Waiting = BTreeMap<AgentId, (String, Place)>;

type Pods = BTreeMap<AgentId, usize>;

/// A pod made from that template appeared, or one is gone.
type Event = (AgentId, Option<usize>);

struct World {
    installation: Option<NonZeroU32>,
    limits: [Option<NonZeroU32>; 2],
    agents: BTreeMap<AgentId, Agent>,
    /// In the apiserver.
    pods: Pods,
    events: VecDeque<Event>,
    cache: Pods,
    untold: VecDeque<Event>,
    /// Requests to make a pod that have no answer yet.
    requests: BTreeMap<AgentId, usize>,
    to_look_at: BTreeSet<AgentId>,
    doubts: Vec<Doubt>,
    missing: Vec<Doubt>,
    /// By which each has asked last.
    orders: BTreeMap<AgentId, Order>,
    line: Line,
    /// Where a limit was lowered, places that were taken by then stay.
    allowed: BTreeMap<(String, usize), usize>,
}

impl World {
    fn new(installation: Option<NonZeroU32>, limits: [u32; 2]) -> Self {
        let agent = |index: usize| {
            let id = AgentId::new(NAMESPACES[index % 3 / 2], format!("agent-{index}")).unwrap();
            (id, Agent { wants: false, priority: 0, template: index % 2 })
        };
        let mut world = Self {
            installation,
            limits: limits.map(NonZeroU32::new),
            agents: (0..AGENTS).map(agent).collect(),
            pods: Pods::new(),
            events: VecDeque::new(),
            cache: Pods::new(),
            untold: VecDeque::new(),
            requests: BTreeMap::new(),
            to_look_at: BTreeSet::new(),
            doubts: Vec::new(),
            missing: Vec::new(),
            orders: BTreeMap::new(),
            line: Line::new(installation),
            allowed: BTreeMap::new(),
        };
        world.restart();
        world
    }

    fn request(&mut self, id: &AgentId) -> Request {
        let agent = &self.agents[id];
        let created = Timestamp::from_second(id.name().len().try_into().unwrap()).ok(); // agents of one digit are older
        let order = Order { priority: Reverse(agent.priority), created };
        self.orders.insert(id.clone(), order);
        Request { template: TEMPLATES[agent.template].into(), limit: self.limits[agent.template], order }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Toggle(index) => self.change(index, |agent| agent.wants = !agent.wants),
            Step::Reprioritize(index, priority) => self.change(index, |agent| agent.priority = priority),
            Step::ChangeTemplate(index) => self.change(index, |agent| agent.template = 1 - agent.template),
            Step::Limit(index, limit) => {
                self.limits[index.index(2)] = NonZeroU32::new(limit);
                let all: Vec<_> = self.agents.keys().cloned().collect();
                all.iter().for_each(|id| self.reconcile(id));
                self.to_look_at.extend(all);
            }
            Step::Reconcile(index) => {
                if let Some(id) = pick(index, self.to_look_at.iter()) {
                    self.reconcile(&id);
                }
            }
            Step::Answer(index, made) => {
                if let Some(id) = pick(index, self.requests.keys()) {
                    self.answer(id, made);
                }
            }
            Step::Lose(index) => {
                if let Some(id) = pick(index, self.pods.keys()) {
                    self.lose(&id);
                }
            }
            Step::Watch => self.watch(),
            Step::Tell => self.tell(),
            Step::List => self.list(),
            Step::Doubt(index) if !self.doubts.is_empty() => self.doubt(index.index(self.doubts.len())),
            Step::Resolve(index) if !self.missing.is_empty() => self.resolve(index.index(self.missing.len())),
            Step::Doubt(_) | Step::Resolve(_) => {}
            Step::Restart => self.restart(),
        }
    }

    fn change(&mut self, index: Index, change: impl FnOnce(&mut Agent)) {
        let id = pick(index, self.agents.keys()).unwrap();
        change(self.agents.get_mut(&id).unwrap());
        self.to_look_at.insert(id);
    }

    /// As the controller does, never twice at a time for the same agent.
    fn reconcile(&mut self, id: &AgentId) {
        if self.requests.contains_key(id) {
            return;
        }
        self.to_look_at.remove(id);
        let agent = self.agents[id].clone();
        match self.cache.get(id) {
            Some(made_from) if !agent.wants || *made_from != agent.template => self.lose(id),
            Some(_) => {}
            None if !agent.wants => self.operate(|line| _ = line.leave(id, false)),
            None => {
                let request = self.request(id);
                let mut place = Place::Unknown;
                self.operate(|line| place = line.ask(id, request));
                if place == Place::Given {
                    self.requests.insert(id.clone(), agent.template);
                }
            }
        }
    }

    fn answer(&mut self, id: AgentId, made: bool) {
        let template = self.requests.remove(&id).unwrap();
        if made && !self.pods.contains_key(&id) {
            self.pods.insert(id.clone(), template);
            self.events.push_back((id.clone(), Some(template)));
        }
        self.to_look_at.insert(id); // it is tried again where that failed, and looked for where it did not
    }

    fn lose(&mut self, id: &AgentId) {
        if self.pods.remove(id).is_some() {
            self.events.push_back((id.clone(), None));
        }
    }

    /// Everybody has been told of one event before the next arrives.
    fn watch(&mut self) {
        self.tell_all();
        let Some((id, template)) = self.events.pop_front() else { return };
        match template {
            Some(template) => self.cache.insert(id.clone(), template),
            None => self.cache.remove(&id),
        };
        self.untold.push_back((id, template));
    }

    fn tell(&mut self) {
        let Some((id, template)) = self.untold.pop_front() else { return };
        match template {
            Some(template) => self.line.pod_seen(&id, TEMPLATES[template]), // may come to a place out of turn
            None => self.operate(|line| line.pod_gone(&id)),
        }
        self.to_look_at.insert(id);
    }

    fn tell_all(&mut self) {
        while !self.untold.is_empty() {
            self.tell();
        }
    }

    fn list(&mut self) {
        self.tell_all();
        let before = std::mem::replace(&mut self.cache, self.pods.clone());
        self.events.clear();
        let gone = before.into_keys().filter(|id| !self.cache.contains_key(id)).map(|id| (id, None));
        let found = self.cache.iter().map(|(id, template)| (id.clone(), Some(*template)));
        self.untold.extend(found.chain(gone));
    }

    fn doubt(&mut self, index: usize) {
        let doubt = self.doubts.remove(index);
        match self.pods.contains_key(&doubt.id) {
            false => self.missing.push(doubt),
            true if self.line.is_doubted(&doubt) => self.doubts.push(doubt),
            true => {}
        }
    }

    fn resolve(&mut self, index: usize) {
        let doubt = self.missing.remove(index);
        self.operate(|line| line.pod_missing(&doubt));
    }

    /// The new leader's cache lags behind as any other does.
    fn restart(&mut self) {
        self.requests.clear();
        self.untold.clear();
        (self.doubts, self.missing) = (Vec::new(), Vec::new());
        self.line = Line::new(self.installation);
        self.cache.iter().for_each(|(id, template)| self.line.pod_seen(id, TEMPLATES[*template]));
        self.line.lead();
        self.pods.iter().for_each(|(id, template)| self.line.pod_listed(id, TEMPLATES[*template]));
        let all: Vec<_> = self.agents.keys().cloned().collect();
        let waits = all.into_iter().filter(|id| self.agents[id].wants && !self.cache.contains_key(id));
        let requests = waits.collect::<Vec<_>>().into_iter().map(|id| (id.clone(), self.request(&id))).collect();
        self.operate(|line| line.open(requests));
        self.to_look_at = self.agents.keys().cloned().collect();
    }

    fn operate(&mut self, operation: impl FnOnce(&mut Line)) {
        let mut line = std::mem::replace(&mut self.line, Line::new(None));
        operation(&mut line);
        let News { wake, doubts } = line.news();
        self.to_look_at.extend(wake);
        self.doubts.extend(doubts);
        self.line = line;
        self.check_order();
    }

    /// It is the turn of those whose it is by the rules, one at a time.
    fn check_order(&self) {
        let (mut taken, mut waiting) = (self.line.taken(), self.line.waiting());
        let told = waiting.iter().filter(|(_, (_, told))| *told == Place::Given);
        let told: BTreeSet<_> = told.map(|(id, _)| id.clone()).collect();
        let mut expected = BTreeSet::new();
        while let Some(next) = self.next(&taken, &waiting) {
            let (template, _) = waiting.remove(&next).unwrap();
            taken.insert(next.clone(), template);
            expected.insert(next);
        }
        assert_eq!(told, expected);
    }

    fn next(&self, taken: &BTreeMap<AgentId, String>, waiting: &Waiting) -> Option<AgentId> {
        let awake = |id: &AgentId| taken.keys().filter(|other| other.namespace() == id.namespace()).count();
        let of_group = |id: &AgentId, template: &String| {
            taken.iter().filter(|(other, of)| other.namespace() == id.namespace() && *of == template).count()
        };
        if self.installation.is_some_and(|limit| taken.len() >= size(limit)) {
            return None;
        }
        let able = waiting.iter().filter(|(id, (template, _))| {
            of_group(id, template) < self.line.limit_of(id, template).map_or(usize::MAX, size)
        });
        let first = able.min_by_key(|(id, _)| {
            let Order { priority, created } = self.orders[*id];
            (priority, awake(id), created, id.name().to_owned())
        });
        first.map(|(id, _)| id.clone())
    }

    /// Every pod, and every request to make one, has its place; there are no more than may be. A place may have no pod: news
    /// of one that is gone again may come late.
    fn check_limits(&mut self) {
        let taken = self.line.taken();
        let awake: Pods = self.requests.clone().into_iter().chain(self.pods.clone()).collect();
        for (id, template) in &awake {
            assert_eq!(taken.get(id).map(String::as_str), Some(TEMPLATES[*template]), "the pod of {id} has no place");
        }
        for (namespace, template) in NAMESPACES.iter().flat_map(|name| [(*name, 0), (*name, 1)]) {
            let count = awake.iter().filter(|(id, of)| id.namespace() == namespace && **of == template).count();
            let held =
                taken.iter().filter(|(id, of)| id.namespace() == namespace && *of == TEMPLATES[template]).count();
            let size = self.limits[template].map_or(usize::MAX, size);
            let allowed = self.allowed.entry((namespace.into(), template)).or_insert(0);
            assert!(count <= size.max(*allowed), "{count} of {size} in {namespace}/{template}");
            *allowed = held;
        }
        assert!(self.installation.is_none_or(|limit| awake.len() <= size(limit)), "{} of all", awake.len());
    }

    /// With nothing lost any more, what is to be looked at is enough for everybody to come where they are to be.
    fn settle(&mut self) {
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 1000, "it never settles");
            while !self.events.is_empty() {
                self.watch();
            }
            self.tell_all();
            if let Some(id) = self.requests.keys().next().cloned() {
                self.answer(id, true);
            } else if let Some(id) = self.to_look_at.iter().next().cloned() {
                self.reconcile(&id);
            } else if !self.doubts.is_empty() {
                self.doubt(0);
            } else if !self.missing.is_empty() {
                self.resolve(0);
            } else {
                break;
            }
            self.check_limits();
        }
        let (taken, waiting) = (self.line.taken(), self.line.waiting());
        for (id, agent) in &self.agents {
            let expected = usize::from(agent.wants);
            let found = usize::from(self.pods.contains_key(id)) + usize::from(waiting.contains_key(id));
            assert_eq!((id, found), (id, expected));
        }
        assert_eq!(taken.keys().collect::<Vec<_>>(), self.pods.keys().collect::<Vec<_>>());
        assert_eq!(self.next(&taken, &waiting), None, "a place is free");
    }
}

fn size(limit: NonZeroU32) -> usize {
    limit.get() as usize
}

fn pick<'a>(index: Index, mut from: impl ExactSizeIterator<Item = &'a AgentId>) -> Option<AgentId> {
    let length = from.len();
    if length == 0 { None } else { from.nth(index.index(length)).cloned() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_gives_a_place_twice_or_leaves_one_empty(
        installation in prop::option::of(1..6_u32),
        limits in [0..4_u32, 0..4_u32],
        steps in vec(step(), 1..400),
    ) {
        let mut world = World::new(installation.and_then(NonZeroU32::new), limits);
        for step in steps {
            world.take(step);
            world.check_limits();
        }
        world.settle();
    }
}
