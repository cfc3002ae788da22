//! Agents in their pods, and Redis: tasks are taken once, kept on the volume with the journal, and cost something.
use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use komputer_events::{
    AgentId, Body, Cursor, Event, Money, Outcome, TokenUsage,
    bus::{BusError, Entry, Page},
    task::{Allowance, TaskRequest},
};
use redis::{ErrorKind, RedisError};
use std::sync::{Arc, Mutex};

use super::random::Random;
use crate::inbox::Source;

/// Nano-dollars of the dearest call.
pub(super) const CALL: u64 = 500_000;

/// What an agent's volume keeps, by the uid of the volume.
pub(super) struct Workspace {
    pub(super) agent: AgentId,
    pub(super) uid: String,
    pub(super) journal: Vec<Event>,
    pub(super) published: usize,
    tasks: Vec<Task>,
    told: Option<(String, Allowance)>,
}

struct Task {
    uid: String,
    is_cancelled: bool,
    has_begun: bool,
    has_ended: bool,
    cost: Money,
}

/// How a task ended, and how often it began.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) ends: Vec<&'static str>,
    pub(super) cost: Money,
    /// The agent that began it, by its uid.
    first: String,
}

impl Run {
    /// Whether the agent that began it is held until it is read.
    pub(super) fn is_held(&self, held: &BTreeSet<String>) -> bool {
        held.contains(&self.first)
    }
}

/// All that agents ever did.
#[derive(Default)]
pub(super) struct Agents {
    pub(super) workspaces: BTreeMap<String, Workspace>,
    /// By the uid of the task.
    pub(super) runs: BTreeMap<String, Run>,
    /// What the calls of each agent cost, by its uid.
    pub(super) billed: BTreeMap<String, Money>,
    /// What went down with a volume before it was published.
    lost: BTreeMap<String, Money>,
    /// Agents that the operator keeps until it has read all they said, by their uids.
    pub(super) held: BTreeSet<String>,
    /// Tasks of which something went down with a volume.
    pub(super) unheard: BTreeSet<String>,
    /// Whose uids those are.
    pub(super) spenders: BTreeMap<String, AgentId>,
}

/// An answer of an agent's server.
pub(super) const ACCEPTED: u16 = 202;
const UNKNOWN: u16 = 404;

impl Agents {
    /// The workspace, as a process finds it that starts.
    pub(super) fn open(&mut self, volume: &str, agent: &AgentId, uid: &str) -> &mut Workspace {
        self.workspaces.entry(volume.into()).or_insert_with(|| Workspace {
            agent: agent.clone(),
            uid: uid.into(),
            journal: Vec::new(),
            published: 0,
            tasks: Vec::new(),
            told: None,
        })
    }

    /// What the server answers to a request.
    pub(super) fn serve(&mut self, volume: &str, path: &str, body: &[u8]) -> u16 {
        let workspace = self.workspaces.get_mut(volume).unwrap();
        let parts: Vec<_> = path.split('/').collect();
        match parts[..] {
            ["knowledge"] => ACCEPTED,
            ["tasks", uid] => {
                let _: TaskRequest = serde_json::from_slice(body).unwrap();
                workspace.take(uid);
                ACCEPTED
            }
            ["tasks", uid, "allowance"] => {
                workspace.told = Some((uid.into(), serde_json::from_slice(body).unwrap()));
                ACCEPTED
            }
            ["tasks", uid, "cancel"] => match workspace.tasks.iter_mut().find(|task| task.uid == uid) {
                Some(task) => {
                    task.is_cancelled = true;
                    ACCEPTED
                }
                None => UNKNOWN,
            },
            _ => panic!("agents do not serve {path}"),
        }
    }

    /// The process does the next thing it has to do: begins, calls the model, or ends. Answers whether there was any.
    pub(super) fn work(&mut self, volume: &str, now: Timestamp, random: &mut Random) -> bool {
        let workspace = self.workspaces.get_mut(volume).unwrap();
        let Some(index) = workspace.tasks.iter().position(|task| !task.has_ended) else { return false };
        let Task { uid, is_cancelled, has_begun, cost, .. } = &workspace.tasks[index];
        let (uid, cost, has_begun) = (uid.clone(), *cost, *has_begun);
        let run = self.runs.entry(uid.clone()).or_default();
        // One that no budget counts goes at once, and another of its name may do again what nobody has heard of.
        let is_unheard = self.unheard.contains(&uid) || !run.first.is_empty() && !run.is_held(&self.held);
        assert!(run.ends.is_empty() || is_unheard, "task {uid} runs again by {}, after {run:?}", workspace.uid);
        if run.first.is_empty() {
            run.first.clone_from(&workspace.uid);
        }
        if *is_cancelled {
            run.ends.push("Cancelled");
            workspace.tasks[index].has_ended = true;
            workspace.say(&uid, now, Body::TaskCancelled { reason: "cancelled".into() });
        } else if !has_begun {
            workspace.tasks[index].has_begun = true;
            let (instructions, model) = ("do it".into(), "m".into());
            workspace.say(&uid, now, Body::TaskStarted { instructions, resuming_session: false, model });
        } else if random.happens(300) {
            workspace.tasks[index].has_ended = true;
            let fails = random.happens(200);
            run.ends.push(if fails { "Failed" } else { "Succeeded" });
            let error = || Body::Error { error: "it failed".into(), reason: "RuntimeFailed".into() };
            let body = if fails { error() } else { Body::TaskCompleted(Outcome::default()) };
            workspace.say(&uid, now, body);
        } else {
            let told = workspace.told.as_ref().filter(|(task, _)| *task == uid).map(|(_, told)| told);
            if told.and_then(|told| told.up_to_usd).is_some_and(|up_to| cost >= up_to) {
                return false;
            }
            let price = Money::from_nano(1 + random.below(CALL.try_into().unwrap()) as u64);
            workspace.tasks[index].cost = cost + price;
            run.cost = run.cost + price;
            self.spenders.insert(workspace.uid.clone(), workspace.agent.clone());
            let billed = self.billed.entry(workspace.uid.clone()).or_default();
            *billed = *billed + price;
            let usage = TokenUsage { output_tokens: 7, ..TokenUsage::default() };
            workspace.say(&uid, now, Body::Usage { model: "m".into(), usage, cost_usd: price });
        }
        true
    }

    /// What an agent has cost and nobody has heard of.
    pub(super) fn unsaid(&self, uid: &str) -> Money {
        let kept = self.workspaces.values().filter(|workspace| workspace.uid == uid);
        let kept: Money = kept.map(Workspace::unsaid).sum();
        kept + self.lost.get(uid).copied().unwrap_or_default()
    }

    /// The volume is gone with all that is on it.
    pub(super) fn wipe(&mut self, volume: &str) {
        let Some(workspace) = self.workspaces.remove(volume) else { return };
        let events = &workspace.journal[workspace.published..];
        self.unheard.extend(events.iter().filter_map(|event| event.task.clone()));
        let unsaid = workspace.unsaid();
        let lost = self.lost.entry(workspace.uid).or_default();
        *lost = *lost + unsaid;
    }
}

/// What an event says that something cost.
pub(super) fn cost(event: &Event) -> Money {
    if let Body::Usage { cost_usd, .. } = &event.body { *cost_usd } else { Money::ZERO }
}

impl Workspace {
    fn unsaid(&self) -> Money {
        self.journal[self.published..].iter().map(cost).sum()
    }

    fn take(&mut self, uid: &str) {
        if self.tasks.iter().all(|task| task.uid != uid) {
            let uid = uid.into();
            self.tasks.push(Task { uid, is_cancelled: false, has_begun: false, has_ended: false, cost: Money::ZERO });
        }
    }

    fn say(&mut self, task: &str, now: Timestamp, body: Body) {
        let last = self.journal.last().map_or(Cursor::START, |event| event.id);
        let id = last.next(u64::try_from(now.as_millisecond()).unwrap());
        let seq = self.journal.len() as u64 + 1;
        let (agent, task) = (self.agent.clone(), Some(task.to_owned()));
        self.journal.push(Event { id, seq, agent, timestamp: now, task, body });
    }
}

/// Redis, which may be away.
#[derive(Clone, Default)]
pub(super) struct Redis(pub(super) Arc<Mutex<Streams>>);

/// What Redis has.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) is_away: bool,
    streams: BTreeMap<AgentId, Vec<(String, Entry)>>,
}

impl Streams {
    /// An agent says what it has not said yet; where the stream is another's it begins anew. Answers whether it did.
    pub(super) fn publish(&mut self, workspace: &mut Workspace) -> bool {
        if self.is_away || workspace.published == workspace.journal.len() {
            return false;
        }
        let stream = self.streams.entry(workspace.agent.clone()).or_default();
        let expected = workspace.published.checked_sub(1).map(|last| workspace.journal[last].id);
        if stream.last().map(|(_, entry)| entry.id) != expected {
            stream.clear();
            workspace.published = 0;
        }
        for event in &workspace.journal[workspace.published..] {
            let json = event.to_json().unwrap();
            stream.push((workspace.uid.clone(), Entry { id: event.id, json }));
        }
        workspace.published = workspace.journal.len();
        true
    }
}

impl Source for Redis {
    fn after<'a>(&'a self, agent: &'a AgentId, uid: &'a str, cursor: Cursor) -> BoxFuture<'a, Result<Page, BusError>> {
        let streams = self.0.lock().unwrap();
        if streams.is_away {
            let source = RedisError::from((ErrorKind::Io, "away"));
            let error = BusError::Redis { address: "redis:6379".parse().unwrap(), action: "read events", source };
            return std::future::ready(Err(error)).boxed();
        }
        let stream = streams.streams.get(agent).map(Vec::as_slice).unwrap_or_default();
        let after: Vec<_> = stream.iter().filter(|(_, entry)| entry.id > cursor).collect();
        let end = after.last().map(|(_, entry)| entry.id);
        let entries = after.into_iter().filter(|(of, _)| of == uid).map(|(_, entry)| entry.clone()).collect();
        std::future::ready(Ok(Page { entries, end, more: false })).boxed()
    }
}
