//! Who has a place and who waits for one. Pure: whom to wake is told, not done.
use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
};

use komputer_events::AgentId;

use super::order::{Candidate, Group, Limit, Order, Room, give, size};

/// What an agent says that wants a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name of its template.
    pub template: String,
    /// How many agents of its namespace, made from that template, may be awake at a time; no limit where absent.
    pub limit: Option<NonZeroU32>,
    /// Who goes before it.
    pub order: Order,
}

/// What an agent that wants a pod is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// It has one.
    #[default]
    Given,
    /// It waits until another agent that has one leaves.
    Waits {
        /// From 1; rounded up where many wait: see [`rounded`].
        position: u32,
        /// What is used up.
        limit: Limit,
    },
    /// Not known yet: a pod made from another template of before may be there still, and counts there.
    Unknown,
}

/// What follows from a change.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Agents that have come to a place, or nearer to one.
    pub(super) wake: Vec<AgentId>,
    /// Places given up of which nobody knows whether a pod uses them.
    pub(super) doubts: Vec<Doubt>,
}

/// A place of which nobody knows whether a pod uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// The agent.
    pub(super) id: AgentId,
    /// Which time its pod was made: another time is no doubt of this one.
    attempt: u64,
}

/// A place that is taken. Only the apiserver's word that there is no pod makes it free: a cache may yet show one that has
/// come and gone, and not show the one that came after it.
#[derive(Debug)]
struct Claim {
    group: Group,
    hold: Hold,
    pod: Pod,
    /// Which time it was given, of all times.
    attempt: u64,
}

/// By what right a place is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// It was given, and its agent goes on with it once the pod is gone.
    Wanted,
    /// It was given, and its agent has left.
    Left,
    /// There is news of a pod that was not asked for. It may be late news, and the place another's: it counts, and is nobody's.
    Found,
}

/// What is known of the pod of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pod {
    /// There may be one.
    Unseen {
        /// Whether the apiserver is being asked.
        is_asked: bool,
    },
    /// It has been seen, and not seen to go.
    Seen,
    /// It has been seen to go, and another may have come.
    Gone {
        /// Whether the apiserver is being asked.
        is_asked: bool,
    },
}

/// An agent that waits.
#[derive(Debug)]
struct Waiting {
    group: Group,
    order: Order,
    /// [`Place::Given`] where its turn has come: the place is its own as soon as it asks.
    told: Place,
}

/// Everybody's places.
#[derive(Debug)]
pub(super) struct Line {
    limit: Option<NonZeroU32>,
    limits: HashMap<Group, NonZeroU32>,
    claims: BTreeMap<AgentId, Claim>,
    waiting: BTreeMap<AgentId, Waiting>,
    /// Whether this replica leads; one that does not only knows what pods there are.
    leads: bool,
    attempts: u64,
    news: News,
}

impl Line {
    pub(super) fn new(limit: Option<NonZeroU32>) -> Self {
        Self {
            limit,
            limits: HashMap::new(),
            claims: BTreeMap::new(),
            waiting: BTreeMap::new(),
            leads: false,
            attempts: 0,
            news: News::default(),
        }
    }

    /// See [`super::Places::ask`].
    pub(super) fn ask(&mut self, id: &AgentId, request: Request) -> Place {
        let group = group(id, &request.template);
        self.limit(&group, request.limit);
        let keeps = self.claims.get(id).is_some_and(|claim| self.keeps(claim, &group));
        if !keeps {
            self.give_up(id);
        }
        if !self.claims.contains_key(id) {
            self.enter(id, group.clone(), request.order);
        }
        self.settle();
        self.news.wake.retain(|woken| woken != id);
        let place = match self.claims.get(id) {
            Some(Claim { hold: Hold::Found, .. }) => Place::Unknown,
            Some(_) if keeps => Place::Given,
            _ => self.waiting.get(id).map_or(Place::Unknown, |waiting| waiting.told),
        };
        if place == Place::Given {
            self.waiting.remove(id);
            self.claim(id, group, Hold::Wanted);
        }
        place
    }

    /// See [`super::Places::leave`]. Who waits may be let into a pod that is being made, with others who have places.
    pub(super) fn leave(&mut self, id: &AgentId, may_be_let_in: bool) -> bool {
        let waiting = self.waiting.remove(id);
        let was_waiting = waiting.is_some();
        if let Some(waiting) = waiting.filter(|_| may_be_let_in && !self.claims.contains_key(id)) {
            self.claim(id, waiting.group, Hold::Found);
        }
        self.give_up(id);
        if was_waiting {
            self.settle();
        }
        !self.claims.contains_key(id)
    }

    /// A pod of the agent is there, made from `template`.
    pub(super) fn pod_seen(&mut self, id: &AgentId, template: &str) {
        let group = group(id, template);
        let is_new = self.claims.get(id).is_none_or(|claim| claim.hold == Hold::Found && claim.group != group);
        if is_new {
            self.claim(id, group, Hold::Found);
        }
        if let Some(claim) = self.claims.get_mut(id) {
            claim.pod = Pod::Seen;
        }
        if self.waiting.remove(id).is_some() || is_new {
            self.settle();
        }
    }

    /// The pod of the agent that was seen is gone. Whoever wants another keeps the place, and is about to ask.
    pub(super) fn pod_gone(&mut self, id: &AgentId) {
        if !self.leads {
            self.claims.remove(id);
        }
        let Some(claim) = self.claims.get_mut(id).filter(|claim| claim.pod == Pod::Seen) else { return };
        claim.pod = Pod::Gone { is_asked: false };
        if claim.hold != Hold::Wanted {
            self.doubt(id);
        }
    }

    /// From now on no other replica makes pods.
    pub(super) fn lead(&mut self) {
        self.leads = true;
    }

    /// The apiserver has a pod of the agent, made from `template`, since this replica leads.
    pub(super) fn pod_listed(&mut self, id: &AgentId, template: &str) {
        let pod = self.claims.get(id).map(|claim| claim.pod);
        self.claim(id, group(id, template), Hold::Wanted);
        match self.claims.get_mut(id).zip(pod) {
            Some((claim, Pod::Seen)) => claim.pod = Pod::Seen,
            _ => self.doubt(id),
        }
    }

    /// The apiserver has no such pod.
    pub(super) fn pod_missing(&mut self, doubt: &Doubt) {
        if self.is_doubted(doubt) {
            self.claims.remove(&doubt.id);
            self.news.wake.push(doubt.id.clone());
            self.settle();
        }
    }

    /// Whether nobody knows yet.
    pub(super) fn is_doubted(&self, doubt: &Doubt) -> bool {
        let claim = self.claims.get(&doubt.id);
        claim.is_some_and(|claim| claim.pod != Pod::Seen && claim.attempt == doubt.attempt)
    }

    /// See [`super::Places::open`].
    pub(super) fn open(&mut self, requests: Vec<(AgentId, Request)>) {
        for (id, request) in requests {
            let group = group(&id, &request.template);
            self.limit(&group, request.limit);
            if !self.claims.contains_key(&id) {
                self.enter(&id, group, request.order);
            }
        }
        self.settle();
    }

    /// What has followed since this was last asked.
    pub(super) fn news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Who has a place, and the template that is counted for.
    #[cfg(test)]
    pub(super) fn taken(&self) -> BTreeMap<AgentId, String> {
        self.claims.iter().map(|(id, claim)| (id.clone(), claim.group.template.clone())).collect()
    }

    /// Who waits, for which template, and what each was told.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> BTreeMap<AgentId, (String, Place)> {
        let told = |waiting: &Waiting| (waiting.group.template.clone(), waiting.told);
        self.waiting.iter().map(|(id, waiting)| (id.clone(), told(waiting))).collect()
    }

    /// How many of the agent's namespace may be awake, made from this template.
    #[cfg(test)]
    pub(super) fn limit_of(&self, id: &AgentId, template: &str) -> Option<NonZeroU32> {
        self.limits.get(&group(id, template)).copied()
    }

    fn claim(&mut self, id: &AgentId, group: Group, hold: Hold) {
        self.attempts += 1;
        let claim = Claim { group, hold, pod: Pod::Unseen { is_asked: false }, attempt: self.attempts };
        self.claims.insert(id.clone(), claim);
    }

    /// What a template says now.
    fn limit(&mut self, group: &Group, limit: Option<NonZeroU32>) {
        match limit {
            Some(limit) => self.limits.insert(group.clone(), limit),
            None => self.limits.remove(group),
        };
    }

    fn enter(&mut self, id: &AgentId, group: Group, order: Order) {
        let told = self.waiting.get(id).map_or(Place::Unknown, |waiting| waiting.told);
        self.waiting.insert(id.clone(), Waiting { group, order, told });
    }

    /// Whether an agent keeps its place where it asks for one in the group. More may be taken than there are, as by those
    /// let into a squad's pod with the others: then whoever's pod is gone waits for its turn again.
    fn keeps(&self, claim: &Claim, group: &Group) -> bool {
        let is_gone = matches!(claim.pod, Pod::Gone { .. });
        claim.group == *group && !(is_gone && self.is_overfull(group))
    }

    fn is_overfull(&self, group: &Group) -> bool {
        let taken = self.claims.values().filter(|claim| claim.group == *group).count();
        let passes = |taken: usize, limit: Option<&NonZeroU32>| limit.is_some_and(|limit| taken > size(*limit));
        passes(taken, self.limits.get(group)) || passes(self.claims.len(), self.limit.as_ref())
    }

    /// Gives the agent's place back, as soon as no pod uses it.
    fn give_up(&mut self, id: &AgentId) {
        if let Some(claim) = self.claims.get_mut(id).filter(|claim| claim.hold == Hold::Wanted) {
            claim.hold = Hold::Left;
        }
        self.doubt(id);
    }

    /// Has the apiserver asked for the pod of a place, where nobody knows of it and none asks.
    fn doubt(&mut self, id: &AgentId) {
        if let Some(Claim { pod: Pod::Unseen { is_asked } | Pod::Gone { is_asked }, attempt, .. }) =
            self.claims.get_mut(id)
            && !std::mem::replace(is_asked, true)
        {
            self.news.doubts.push(Doubt { id: id.clone(), attempt: *attempt });
        }
    }

    /// Says whose turn it is, and wakes whoever stands elsewhere than before. Whoever has not come yet gives way to who goes
    /// first by now.
    fn settle(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut taken = HashMap::new();
        for claim in self.claims.values() {
            *taken.entry(&claim.group).or_default() += 1;
        }
        let room = Room { limits: &self.limits, installation: self.limit, taken: &taken };
        let candidates =
            self.waiting.iter().map(|(id, Waiting { group, order, .. })| Candidate { id, group, order: *order });
        let outcome = give(candidates.collect(), &room);
        let go = outcome.go.into_iter().map(|id| (id, Place::Given));
        let wait = outcome.wait.into_iter();
        let wait = wait.map(|(id, limit, position)| (id, Place::Waits { position: rounded(position), limit }));
        for (id, place) in go.chain(wait) {
            if let Some(waiting) = self.waiting.get_mut(&id).filter(|waiting| waiting.told != place) {
                waiting.told = place;
                self.news.wake.push(id);
            }
        }
    }
}

fn group(id: &AgentId, template: &str) -> Group {
    Group { namespace: id.namespace().into(), template: template.into() }
}

/// A position as it is shown: exact to 10, rounded up to tens to 100 and to hundreds beyond. Where one of a thousand
/// leaves, few others have something new to say.
fn rounded(position: usize) -> u32 {
    let step = match position {
        0..=10 => 1,
        11..=100 => 10,
        _ => 100,
    };
    position.div_ceil(step).saturating_mul(step).try_into().unwrap_or(u32::MAX)
}
