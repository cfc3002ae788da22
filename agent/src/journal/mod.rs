//! Every event is written here before anybody hears of it, exactly as it is published later.
//!
//! The journal is what the agent's state is folded from after a crash, and what a wiped Redis is refilled from. It is a
//! row of segments; the oldest go once Redis has them and enough newer events are kept. Each segment is made with room
//! for itself and a reserve, so that an agent that fills its own volume can still say so.
//!
//! Files are read and written in place, on the agent's one thread: the data is small and in the page cache.
mod reader;
mod segment;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use komputer_events::{AgentId, Body, Event, EventError};
use tokio::sync::watch;

pub(crate) use reader::{Batch, Position};
use segment::Place;
use writer::Writer;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a segment.
    pub(crate) segment: u64,
    /// Bytes a segment may have more while the volume has no room for the next one.
    pub(crate) reserve: u64,
    /// Newest events that are kept.
    pub(crate) events: u64,
    /// Bytes that are kept of events that Redis has.
    pub(crate) published: u64,
    /// Bytes that are kept of events that Redis does not have; older ones are lost, and an error says so.
    pub(crate) unpublished: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        let mebibytes = |count: u64| count << 20;
        let [segment, reserve] = [mebibytes(1), mebibytes(1)];
        Self { segment, reserve, events: 10_000, published: mebibytes(64), unpublished: mebibytes(512) }
    }
}

/// The agent's events, on disk.
#[derive(Debug)]
pub(crate) struct Journal {
    agent: AgentId,
    directory: PathBuf,
    writer: Mutex<Writer>,
    /// The `seq` of the newest event.
    newest: watch::Sender<u64>,
    /// The `seq` up to which Redis has the events.
    acknowledged: watch::Sender<u64>,
}

/// The journal cannot do its work; without it the agent must not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("the journal in {directory} cannot be used: {source}; is the volume full or gone?")]
    Io { directory: PathBuf, source: io::Error },
    #[error("an event cannot be written down: {0}")]
    Event(#[from] EventError),
}

impl Journal {
    /// Opens the journal, repairing what a crash left behind.
    pub(crate) fn open(directory: &Path, agent: AgentId, bounds: Bounds) -> Result<Self, JournalError> {
        let writer = Writer::open(directory, bounds)
            .map_err(|source| JournalError::Io { directory: directory.to_owned(), source })?;
        let (newest, acknowledged) = (watch::Sender::new(writer.last().seq), watch::Sender::new(0));
        Ok(Self { agent, directory: directory.to_owned(), writer: Mutex::new(writer), newest, acknowledged })
    }

    /// Writes an event down and returns it. It survives this process at once, and the node after [`Self::sync`].
    pub(crate) fn append(&self, task: Option<&str>, body: Body) -> Result<Event, JournalError> {
        let mut writer = self.writer();
        let timestamp = Timestamp::now();
        let now_ms = u64::try_from(timestamp.as_millisecond()).unwrap_or_default();
        let place = Place { id: writer.last().id.next(now_ms), seq: writer.last().seq + 1 };
        let task = task.map(ToOwned::to_owned);
        let event = Event { id: place.id, seq: place.seq, agent: self.agent.clone(), timestamp, task, body };
        let line = event.to_json()? + "\n";
        writer.write(place, line.as_bytes(), *self.acknowledged.borrow()).map_err(|source| self.failed(source))?;
        drop(writer);
        self.newest.send_replace(place.seq);
        Ok(event)
    }

    /// Makes everything appended so far survive the node.
    pub(crate) async fn sync(&self) -> Result<(), JournalError> {
        let file = self.writer().file().try_clone().map_err(|source| self.failed(source))?;
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await.map_err(io::Error::other).flatten();
        synced.map_err(|source| self.failed(source))
    }

    /// Like [`Self::sync`], for the rare moments that nothing may go on before.
    pub(crate) fn sync_now(&self) -> Result<(), JournalError> {
        self.writer().file().sync_data().map_err(|source| self.failed(source))
    }

    /// Whether the volume is full, so that what is still written goes into the journal's reserve.
    pub(crate) fn is_short(&self) -> bool {
        self.writer().is_short()
    }

    /// Looks again whether the volume is full.
    pub(crate) fn look_for_room(&self) -> Result<(), JournalError> {
        let mut writer = self.writer();
        if writer.is_short() { writer.rotate().map_err(|source| self.failed(source)) } else { Ok(()) }
    }

    /// Changes whenever an event is appended; holds the newest `seq`, 0 where there is none.
    pub(crate) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Events that Redis has not acknowledged.
    pub(crate) fn unpublished(&self) -> u64 {
        self.newest.borrow().saturating_sub(*self.acknowledged.borrow())
    }

    /// Redis has every event up to `seq`.
    pub(crate) fn acknowledge(&self, seq: u64) {
        self.acknowledged.send_replace(seq);
    }

    /// Returns once Redis has every event there is now.
    pub(crate) async fn published(&self) {
        let newest = *self.newest.borrow();
        // Cannot fail: the sender is part of `self`.
        let _ = self.acknowledged.subscribe().wait_for(|acknowledged| *acknowledged >= newest).await;
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, source: io::Error) -> JournalError {
        JournalError::Io { directory: self.directory.clone(), source }
    }
}

#[cfg(test)]
mod tests;
