//! Where agents' events arrive: whenever a bell rings, the agent's stream is read on and folded into summaries.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use backon::BackoffBuilder;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use komputer_crds::v1beta1::{KomputerAgent, KomputerTask, Role};
use komputer_events::{
    AgentId, Cursor, Event,
    bus::{BusError, Page, Ring, Streams, retry_policy},
};
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::mpsc;

use crate::{
    budget::{Ledger, Meter, Shares, Statement},
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
}

/// What an agent's events come to so far.
#[derive(Clone, Debug)]
struct Folded {
    /// Which object of that name: another one starts anew.
    uid: String,
    /// How far the stream has been read.
    cursor: Cursor,
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
        Self { source: Box::new(source), agents, tasks, index, ledger, metrics, folded: Mutex::default() }
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
    pub(crate) fn forget(&self, agent: &AgentId) {
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

    /// Reads the agent's stream to its end.
    pub(crate) async fn read_on(&self, agent: &AgentId) -> Result<(), BusError> {
        let reference = ObjectRef::new(agent.name()).within(agent.namespace());
        let object = self.agents.get(&reference);
        let uid = object.as_ref().and_then(|object| object.uid()).unwrap_or_default();
        if self.ledger.has_predecessor(agent, &uid) {
            return Ok(()); // the stream is that one's
        }
        let Some(object) = object else {
            self.forget(agent);
            return Ok(());
        };
        let known = self.known(agent, &uid);
        let is_known = known.is_some();
        let folded = known.unwrap_or_else(|| self.load(agent, &uid, &object));
        let begun = folded.cursor;
        let folded = self.read_to_end(agent, folded, &self.ledger.meters(&object)).await?;
        if is_known || folded.cursor > begun {
            self.keep(agent, folded);
        } else {
            self.forget(agent); // its status has all of it, and most agents say nothing most of the time
        }
        Ok(())
    }

    /// Reads the stream of an agent that is gone to its end, and answers what it has cost.
    pub(crate) async fn read_last(&self, gone: &Statement, meters: &[Meter]) -> Result<Shares, BusError> {
        let folded = self.known(&gone.agent, &gone.uid).filter(|folded| folded.agent.cursor >= gone.cursor);
        let folded = folded.unwrap_or_else(|| self.load_gone(gone));
        let folded = self.read_to_end(&gone.agent, folded, meters).await?;
        let shares = folded.agent.shares.clone();
        self.keep(&gone.agent, folded);
        Ok(shares)
    }

    fn keep(&self, agent: &AgentId, folded: Folded) {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner).insert(agent.clone(), folded);
    }

    fn known(&self, agent: &AgentId, uid: &str) -> Option<Folded> {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded.get(agent).filter(|folded| folded.uid == uid).cloned()
    }

    async fn read_to_end(&self, agent: &AgentId, mut folded: Folded, meters: &[Meter]) -> Result<Folded, BusError> {
        loop {
            let page = self.source.after(agent, &folded.uid, folded.cursor).await?;
            for entry in &page.entries {
                match Event::from_json(entry.json.as_bytes()) {
                    Ok(event) => {
                        self.metrics.folded(&event, clock::now());
                        self.fold(&mut folded, agent, &event, meters);
                    }
                    Err(error) => tracing::warn!(%agent, id = %entry.id, %error, "skipped an entry of the stream"),
                }
            }
            folded.cursor = page.end.unwrap_or(folded.cursor);
            if !page.more {
                return Ok(folded);
            }
        }
    }

    /// Whether a task of an agent that is gone has ended, and does not say so.
    pub(crate) fn has_unwritten_ends(&self, gone: &AgentId) -> bool {
        let mut open = self.tasks_of(gone).filter(|task| !task.phase().is_terminal());
        open.any(|task| {
            let arrived = self.task(gone, &task.uid().unwrap_or_default());
            arrived.is_some_and(|arrived| arrived.phase.is_terminal())
        })
    }

    /// Whether it has asked something of its office and has no answer.
    pub(crate) fn has_asked(&self, agent: &AgentId) -> bool {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded.get(agent).is_some_and(|folded| !folded.requests.is_empty())
    }

    /// Goes on where the statuses stand, which may differ: the agent's and its tasks' are separate writes. What a manager
    /// asks stands in no status: its open tasks are read from their beginning.
    fn load(&self, agent: &AgentId, uid: &str, object: &KomputerAgent) -> Folded {
        let start = if object.spec.role == Some(Role::Manager) { made } else { start };
        self.load_from(agent, uid, AgentSummary::from(object), start)
    }

    /// Goes on where the statement stands of an agent that is gone.
    fn load_gone(&self, gone: &Statement) -> Folded {
        let summary = AgentSummary { cursor: gone.cursor, shares: gone.shares.clone(), ..AgentSummary::default() };
        self.load_from(&gone.agent, &gone.uid, summary, start)
    }

    fn load_from(
        &self,
        agent: &AgentId,
        uid: &str,
        summary: AgentSummary,
        start: impl Fn(&KomputerTask) -> Cursor,
    ) -> Folded {
        let open = self.tasks_of(agent).filter(|task| !task.phase().is_terminal());
        let tasks: BTreeMap<_, _> =
            open.filter_map(|task| Some((task.uid()?, (start(&task), TaskSummary::from(&*task))))).collect();
        let cursor = tasks.values().map(|(start, _)| *start).fold(summary.cursor, Ord::min);
        let tasks = tasks.into_iter().map(|(uid, (_, summary))| (uid, summary)).collect();
        Folded { uid: uid.to_owned(), cursor, agent: summary, tasks, requests: OpenRequests::default() }
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
