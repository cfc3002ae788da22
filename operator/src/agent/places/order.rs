//! Who goes first.
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
};

use jiff::Timestamp;
use komputer_events::AgentId;

/// The agents of a namespace that are made from a template of this name: what a template's limit counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Group {
    pub(super) namespace: String,
    pub(super) template: String,
}

/// Which of two agents of a namespace goes first: that of the higher priority, of equal ones the older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// `spec.priority`.
    pub priority: Reverse<i32>,
    /// When the agent was made.
    pub created: Option<Timestamp>,
}

/// What keeps an agent waiting: as many agents as it lets be awake at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `spec.maxConcurrentAgents` of its template, for its namespace.
    Template(NonZeroU32),
    /// `--max-awake-agents` of the operator, for all.
    Installation(NonZeroU32),
}

/// An agent that waits.
pub(super) struct Candidate<'a> {
    pub(super) id: &'a AgentId,
    pub(super) group: &'a Group,
    pub(super) order: Order,
}

/// How many places there are and how many are taken.
pub(super) struct Room<'a> {
    pub(super) limits: &'a HashMap<Group, NonZeroU32>,
    pub(super) installation: Option<NonZeroU32>,
    pub(super) taken: &'a HashMap<&'a Group, usize>,
}

/// What comes of the wait of all candidates.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Who gets a place.
    pub(super) go: Vec<AgentId>,
    /// Who waits on, for what, and at which position from 1.
    pub(super) wait: Vec<(AgentId, Limit, usize)>,
}

/// Gives away what room there is. Of a namespace the first in [`Order`] go, then by name; between namespaces the higher
/// priority goes first and, of equal ones, the namespace with the fewest awake, so that nobody shuts out others.
pub(super) fn give(mut candidates: Vec<Candidate<'_>>, room: &Room<'_>) -> Outcome {
    candidates.sort_by_key(|candidate| (candidate.order, candidate.id.name(), candidate.id.namespace()));
    let mut awake: HashMap<&str, usize> = HashMap::new();
    for (group, taken) in room.taken {
        *awake.entry(&group.namespace).or_default() += taken;
    }
    let mut ahead: HashMap<&Group, usize> = HashMap::new();
    let (mut able, mut unable) = (BTreeMap::new(), Vec::new());
    for candidate in candidates {
        let ahead = ahead.entry(candidate.group).or_default();
        let taken = room.taken.get(candidate.group).copied().unwrap_or_default();
        match room.limits.get(candidate.group) {
            Some(limit) if taken + *ahead >= size(*limit) => unable.push((candidate, *limit, *ahead + 1)),
            _ => {
                // As many of its namespace are awake by its turn.
                let awake = awake.entry(&candidate.group.namespace).or_default();
                let Order { priority, created } = candidate.order;
                able.insert((priority, *awake, created, candidate.id.name(), candidate.id.namespace()), candidate);
                *awake += 1;
            }
        }
        *ahead += 1;
    }
    let free = room.installation.map(|limit| size(limit).saturating_sub(room.taken.values().sum()));
    outcome(able.into_values(), unable, free, room.installation)
}

fn outcome<'a>(
    able: impl Iterator<Item = Candidate<'a>>,
    unable: Vec<(Candidate<'a>, NonZeroU32, usize)>,
    free: Option<usize>,
    installation: Option<NonZeroU32>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut gone: HashMap<&Group, usize> = HashMap::new();
    for (index, candidate) in able.enumerate() {
        if let Some((limit, free)) = installation.zip(free).filter(|(_, free)| index >= *free) {
            outcome.wait.push((candidate.id.clone(), Limit::Installation(limit), index + 1 - free));
        } else {
            *gone.entry(candidate.group).or_default() += 1;
            outcome.go.push(candidate.id.clone());
        }
    }
    for (candidate, limit, position) in unable {
        let gone = gone.get(candidate.group).copied().unwrap_or_default();
        outcome.wait.push((candidate.id.clone(), Limit::Template(limit), position.saturating_sub(gone)));
    }
    outcome
}

pub(super) fn size(limit: NonZeroU32) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}
