//! Where agents' events arrive: whenever a bell rings, the agent's stream is read on and folded into summaries.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use backon::BackoffBuilder;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerTask, Role};
use komputer_events::{
    AgentId, Cursor, Event,
    bus::{BusError, Page, Ring, Streams, retry_policy},
};
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::{Notify, mpsc};

use crate::{
    budget::{Ledger, Meter},
    clock,
    fold::{AgentSummary, Fold, OpenRequests, TaskSummary},
    metrics::Metrics,
    queue::Queue,
    task::TaskIndex,
};

/// Where events are read.
pub trait Source: Send + Sync {
    /// Some events of the agent object of that uid after `cursor`, oldest first.
    fn after<'a>(&'a self, agent: &'a AgentId, uid: &'a str, cursor: Cursor) -> BoxFuture<'a, Result<Page, BusError>>;
}

impl Source for Streams {
    fn after<'a>(&'a self, agent: &'a AgentId, uid: &'a str, cursor: Cursor) -> BoxFuture<'a, Result<Page, BusError>> {
        Streams::after(self, agent, Some(uid), cursor, PAGE).boxed()
    }
}

/// Folds events of all agents into summaries that controllers read.
pub struct Inbox {
    source: Box<dyn Source>,
    agents: Store<KomputerAgent>,
    tasks: Store<KomputerTask>,
    index: Arc<TaskIndex>,
    ledger: Arc<Ledger>,
    metrics: Metrics,
    folded: Mutex<HashMap<AgentId, Folded>>,
    /// Agents whose streams are to be read although no bell rang.
    asked: Mutex<BTreeSet<AgentId>>,
    was_asked: Notify,
}

/// What an agent's events come to so far.
#[derive(Clone, Debug)]
struct Folded {
    /// Which object of that name: another one starts anew.
    uid: String,
    /// How far the stream has been read.
    cursor: Cursor,
    /// When it was last read to its end: what was said before is known.
    read: Timestamp,
    agent: AgentSummary,
    tasks: BTreeMap<String, TaskSummary>,
    requests: OpenRequests,
}

/// Events read at once.
const PAGE: usize = 500;
/// Streams read at the same time.
const CONCURRENCY: usize = 16;
/// A task's events are never older than the task, by clocks that differ by less than this.
const CLOCK_SKEW_MS: u64 = 3_600_000;

impl Inbox {
    /// An inbox over the given caches.
    pub fn new(
        source: impl Source + 'static,
        agents: Store<KomputerAgent>,
        tasks: Store<KomputerTask>,
        index: Arc<TaskIndex>,
        ledger: Arc<Ledger>,
        metrics: Metrics,
    ) -> Self {
        let (folded, asked, was_asked) = (Mutex::default(), Mutex::default(), Notify::new());
        let source = Box::new(source);
        Self { source, agents, tasks, index, ledger, metrics, folded, asked, was_asked }
    }

    /// Whether all that the agent said before `time` is known; where it is not, its stream is read.
    pub fn has_read(&self, agent: &AgentId, uid: &str, time: Timestamp) -> bool {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        let has_read = folded.get(agent).is_some_and(|folded| folded.uid == uid && folded.read > time);
        if !has_read {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(agent.clone());
            self.was_asked.notify_one();
        }
        has_read
    }

    /// What the agent's events come to, where any have arrived.
    pub fn agent(&self, agent: &AgentId, uid: &str) -> Option<AgentSummary> {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded.get(agent).filter(|folded| folded.uid == uid).map(|folded| folded.agent.clone())
    }

    /// What the task's events come to, where any have arrived.
    pub fn task(&self, agent: &AgentId, task_uid: &str) -> Option<TaskSummary> {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded.get(agent).and_then(|folded| folded.tasks.get(task_uid)).cloned()
    }

    /// What the agent has asked of its office and has no answer to.
    pub fn requests(&self, agent: &AgentId, uid: &str) -> OpenRequests {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded.get(agent).filter(|folded| folded.uid == uid).map(|folded| folded.requests.clone()).unwrap_or_default()
    }

    /// Forgets an agent that is gone: the last words of its pod come when the object is no more.
    fn forget(&self, agent: &AgentId) {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner).remove(agent);
    }

    /// Reads on whenever `rings` says so, and has the agents and tasks concerned looked at. Ends with `rings`.
    pub async fn run(
        &self,
        mut rings: mpsc::Receiver<Ring>,
        agents: Queue<KomputerAgent>,
        tasks: Queue<KomputerTask>,
        wake_office: impl Fn(&AgentId),
    ) {
        let mut missed = BTreeSet::new();
        let mut delays = retry_policy().build();
        loop {
            let mut rang = tokio::select! {
                ring = rings.recv() => match ring {
                    Some(Ring::Agents(rang)) => rang,
                    Some(Ring::Anybody) => self.agents.state().iter().filter_map(|agent| id(agent)).collect(),
                    None => return,
                },
                () = self.was_asked.notified() => self.take_asked(),
                () = tokio::time::sleep(delays.next().unwrap_or_default()), if !missed.is_empty() => BTreeSet::new(),
            };
            rang.append(&mut missed);
            let results = stream::iter(rang).map(|agent| async {
                let result = self.read_on(&agent).await;
                (agent, result)
            });
            let mut results = std::pin::pin!(results.buffer_unordered(CONCURRENCY));
            while let Some((agent, result)) = results.next().await {
                match result {
                    Ok(()) => {
                        self.announce(&agent, &agents, &tasks);
                        if self.has_asked(&agent) {
                            wake_office(&agent);
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%agent, error = &error as &dyn std::error::Error, "could not read events");
                        missed.insert(agent);
                    }
                }
            }
            if missed.is_empty() {
                delays = retry_policy().build();
            }
        }
    }

    /// Agents whose streams are to be read although no bell rang.
    pub(crate) fn take_asked(&self) -> BTreeSet<AgentId> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the agent's stream to its end.
    pub(crate) async fn read_on(&self, agent: &AgentId) -> Result<(), BusError> {
        let reference = ObjectRef::new(agent.name()).within(agent.namespace());
        let Some(object) = self.agents.get(&reference) else {
            self.forget(agent);
            return Ok(());
        };
        let uid = object.uid().unwrap_or_default();
        let known = self.folded.lock().unwrap_or_else(PoisonError::into_inner).get(agent).cloned();
        let mut folded = known.filter(|folded| folded.uid == uid).unwrap_or_else(|| self.load(agent, &uid, &object));
        let (meters, read) = (self.ledger.meters(&object), clock::now());
        loop {
            let page = self.source.after(agent, &uid, folded.cursor).await?;
            for entry in &page.entries {
                match Event::from_json(entry.json.as_bytes()) {
                    Ok(event) => {
                        self.metrics.folded(&event, clock::now());
                        self.fold(&mut folded, agent, &event, &meters);
                    }
                    Err(error) => tracing::warn!(%agent, id = %entry.id, %error, "skipped an entry of the stream"),
                }
            }
            folded.cursor = page.end.unwrap_or(folded.cursor);
            if !page.more {
                break;
            }
        }
        folded.read = read;
        self.folded.lock().unwrap_or_else(PoisonError::into_inner).insert(agent.clone(), folded);
        Ok(())
    }

    fn has_asked(&self, agent: &AgentId) -> bool {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded.get(agent).is_some_and(|folded| !folded.requests.is_empty())
    }

    /// Goes on where the statuses stand, which may differ: the agent's and its tasks' are separate writes. What a manager
    /// asks stands in no status: its open tasks are read from their beginning.
    fn load(&self, agent: &AgentId, uid: &str, object: &KomputerAgent) -> Folded {
        let summary = AgentSummary::from(object);
        let open = self.tasks_of(agent).filter(|task| !task.phase().is_terminal());
        let start = if object.spec.role == Some(Role::Manager) { made } else { start };
        let tasks: BTreeMap<_, _> =
            open.filter_map(|task| Some((task.uid()?, (start(&task), TaskSummary::from(&*task))))).collect();
        let cursor = tasks.values().map(|(start, _)| *start).fold(summary.cursor, Ord::min);
        let tasks = tasks.into_iter().map(|(uid, (_, summary))| (uid, summary)).collect();
        let (read, requests) = (Timestamp::UNIX_EPOCH, OpenRequests::default());
        Folded { uid: uid.to_owned(), cursor, read, agent: summary, tasks, requests }
    }

    fn fold(&self, folded: &mut Folded, agent: &AgentId, event: &Event, meters: &[Meter]) {
        folded.agent.fold_metered(event, meters);
        folded.requests.fold(event);
        let Some(uid) = &event.task else { return };
        if !folded.tasks.contains_key(uid) {
            let task = self.tasks_of(agent).find(|task| task.uid().as_ref() == Some(uid));
            folded.tasks.insert(uid.clone(), task.map(|task| TaskSummary::from(&*task)).unwrap_or_default());
        }
        if let Some(task) = folded.tasks.get_mut(uid) {
            task.fold(event);
        }
    }

    /// Has an agent and its tasks looked at.
    pub(crate) fn announce(&self, agent: &AgentId, agents: &Queue<KomputerAgent>, tasks: &Queue<KomputerTask>) {
        agents.wake(ObjectRef::new(agent.name()).within(agent.namespace()));
        let mut settled = Vec::new();
        for task in self.tasks_of(agent) {
            let uid = task.uid().unwrap_or_default();
            if task.phase().is_terminal() {
                settled.push(uid);
            } else {
                tasks.wake(ObjectRef::from_obj(&*task));
            }
        }
        let mut folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folded) = folded.get_mut(agent) {
            folded.tasks.retain(|uid, _| !settled.contains(uid));
        }
    }

    fn tasks_of(&self, agent: &AgentId) -> impl Iterator<Item = Arc<KomputerTask>> {
        let namespace = agent.namespace().to_owned();
        let names = self.index.of(agent).into_iter();
        names.filter_map(move |name| self.tasks.get(&ObjectRef::new(&name).within(&namespace)))
    }
}

/// Where to read on for a task: after what its status has, else from when it was made.
fn start(task: &KomputerTask) -> Cursor {
    let written = task.status.as_ref().and_then(|status| status.cursor.as_deref()?.parse().ok());
    written.unwrap_or_else(|| made(task))
}

/// Where a task's first event is at the earliest.
fn made(task: &KomputerTask) -> Cursor {
    let made = task.meta().creation_timestamp.as_ref().map_or(0, |time| time.0.as_millisecond());
    Cursor::at(u64::try_from(made).unwrap_or(0).saturating_sub(CLOCK_SKEW_MS))
}

fn id(agent: &KomputerAgent) -> Option<AgentId> {
    AgentId::new(agent.namespace()?, agent.name_any()).ok()
}
