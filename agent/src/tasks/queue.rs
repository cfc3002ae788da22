//! Which task is next, what was promised, and what is over.
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use komputer_events::{Body, task::TaskRequest};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    letters::Mailbox,
    store::{Record, Store, StoreError, TaskUid, Work},
    tally::Tally,
};
use crate::journal::{Journal, JournalError};

/// Tasks that wait; one more is refused.
const WAITING: usize = 100;

/// The accepted tasks that have not ended.
#[derive(Debug)]
pub(crate) struct Queue {
    store: Store,
    journal: Arc<Journal>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(TaskUid, Work)>,
    running: Option<Running>,
    /// The order of the next task.
    next: u64,
}

/// The task that is being worked on.
#[derive(Debug)]
struct Running {
    uid: TaskUid,
    cancelled: CancellationToken,
    mailbox: Arc<Mailbox>,
}

/// A task to work on.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) uid: TaskUid,
    pub(super) work: Work,
    /// It is to end as soon as possible.
    pub(super) cancelled: CancellationToken,
    /// What is said in the middle of it.
    pub(super) mailbox: Arc<Mailbox>,
}

/// Why a request about a task is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("task {0} was accepted before with another request: a task cannot change, send it under a uid of its own")]
    Conflict(TaskUid),
    #[error("{WAITING} tasks wait already: try again when one has ended")]
    Full,
    #[error("there is no task {0}")]
    Unknown(TaskUid),
    #[error("task {0} does not run: nothing can be said in the middle of it")]
    NotRunning(TaskUid),
    #[error("task {0} went into the running one as a message, and may be read there: try again when that has ended")]
    Sent(TaskUid),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a client is told about the queue.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Overview {
    pub(crate) running: Option<TaskUid>,
    pub(crate) waiting: Vec<TaskUid>,
}

impl Queue {
    /// Takes up the tasks an earlier process left, and settles those whose end it did not come to note.
    pub(crate) fn open(store: Store, journal: Arc<Journal>) -> Result<Self, QueueError> {
        let queue = Self { store, journal, state: Mutex::default(), changed: Notify::new() };
        for (uid, work) in queue.left_over()? {
            queue.lock().next = work.order + 1;
            if work.tally.ended {
                queue.settle(&uid);
            } else if work.cancelled {
                queue.end_letters(&uid, &Mailbox::new(work.letters), |_| cancelled())?;
                queue.end(&uid, cancelled())?;
            } else {
                queue.lock().waiting.push_back((uid, work));
            }
        }
        Ok(queue)
    }

    /// The tasks whose end is not noted, with what the journal says of them.
    fn left_over(&self) -> Result<Vec<(TaskUid, Work)>, QueueError> {
        let mut tasks = self.store.load()?;
        if !tasks.is_empty() {
            self.journal.replay(|event| {
                let of_this_task = |(uid, _): &&mut (TaskUid, _)| event.task.as_deref() == Some(uid.as_str());
                if let Some((_, work)) = tasks.iter_mut().find(of_this_task) {
                    work.tally.fold(&event);
                }
                let mut letters = tasks.iter_mut().flat_map(|(_, work)| &mut work.letters);
                if let Some(letter) = letters.find(|letter| event.task.as_deref() == Some(letter.uid.as_str())) {
                    letter.tally.fold(&event);
                }
            })?;
        }
        for (uid, work) in &mut tasks {
            let ended: Vec<_> = work.letters.extract_if(.., |letter| letter.tally.ended).collect();
            ended.iter().for_each(|letter| self.settle_letter(&letter.uid));
            if !ended.is_empty() {
                self.store.keep_letters(uid, &work.letters)?;
            }
        }
        Ok(tasks)
    }

    /// Accepts a task for good. The same task again changes nothing.
    pub(crate) fn submit(&self, uid: TaskUid, request: TaskRequest) -> Result<(), QueueError> {
        if let Some(known) = self.store.get(&uid)? {
            return if known.is_of(&request) { Ok(()) } else { Err(QueueError::Conflict(uid)) };
        }
        let mut state = self.lock();
        if state.running.as_ref().is_some_and(|running| running.mailbox.get(&uid).is_some()) {
            return Err(QueueError::Sent(uid));
        }
        if state.waiting.len() >= WAITING {
            return Err(QueueError::Full);
        }
        let work = Work::new(state.next, request);
        self.store.put(&uid, &Record::of(work.clone()))?;
        state.next += 1;
        state.waiting.push_back((uid, work));
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Ends a task early. Without effect on one that has ended.
    pub(crate) fn cancel(&self, uid: &TaskUid) -> Result<(), QueueError> {
        let mut state = self.lock();
        if let Some(running) = &state.running
            && self.cancel_letter(running, uid)?
        {
            return Ok(());
        }
        let mut record = self.store.get(uid)?.ok_or_else(|| QueueError::Unknown(uid.clone()))?;
        let waiting = state.waiting.iter().position(|(waiting, _)| waiting == uid);
        if let Some(index) = waiting {
            state.waiting.remove(index);
            drop(state);
            return Ok(self.end(uid, cancelled())?);
        }
        let running = state.running.as_ref().filter(|running| running.uid == *uid);
        if let (Some(running), Some(work)) = (running, &mut record.work) {
            work.cancelled = true;
            self.store.put(uid, &record)?;
            running.cancelled.cancel();
        }
        Ok(())
    }

    /// Waits for a task and takes it.
    pub(crate) async fn next(&self) -> Job {
        loop {
            if let Some(job) = self.take() {
                return job;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        let (uid, work) = state.waiting.pop_front()?;
        let (cancelled, mailbox) = (CancellationToken::new(), Arc::new(Mailbox::new(work.letters.clone())));
        state.running = Some(Running { uid: uid.clone(), cancelled: cancelled.clone(), mailbox: mailbox.clone() });
        Some(Job { uid, work, cancelled, mailbox })
    }

    /// Remembers what a task has used up, so that it need not be found in the journal.
    pub(super) fn checkpoint(&self, uid: &TaskUid, tally: &Tally) -> Result<(), JournalError> {
        // A tally must never know of an event that the journal could lose.
        self.journal.sync_now()?;
        let _state = self.lock(); // nobody else writes the record meanwhile
        if let Err(error) = self.store.remember(uid, tally) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(task = %uid, error, "what the task has used up is remembered later");
        }
        Ok(())
    }

    /// Says how a task ended, and forgets it.
    pub(super) fn end(&self, uid: &TaskUid, terminal: Body) -> Result<(), JournalError> {
        self.journal.append(Some(uid.as_str()), terminal)?;
        self.journal.sync_now()?;
        self.settle(uid);
        Ok(())
    }

    /// A task has ended, and its last event is in the journal, which says so whatever becomes of the record.
    fn settle(&self, uid: &TaskUid) {
        let mut state = self.lock();
        if let Err(error) = self.store.end(uid) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(task = %uid, error, "that the task has ended is noted at the next start");
        }
        state.running.take_if(|running| running.uid == *uid);
    }

    /// The tasks there are.
    pub(crate) fn overview(&self) -> Overview {
        let state = self.lock();
        Overview {
            running: state.running.as_ref().map(|running| running.uid.clone()),
            waiting: state.waiting.iter().map(|(uid, _)| uid.clone()).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cancelled() -> Body {
    Body::TaskCancelled { reason: "cancelled by request".into() }
}

mod mail;
#[cfg(test)]
mod tests;
