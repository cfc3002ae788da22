//! Every event is written here before anybody hears of it, exactly as it is published later.
//!
//! The journal is what the agent's state is folded from after a crash, and what a wiped Redis is refilled from. It is a
//! row of segments; the oldest go once Redis has them and enough newer events are kept.
//!
//! Files are read and written in place, on the agent's one thread: the data is small and in the page cache.
mod reader;
mod segment;

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use komputer_events::{AgentId, Body, Event, EventError};
use tokio::sync::watch;

pub(crate) use reader::Position;
use segment::{Place, Segment};

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a segment.
    pub(crate) segment: u64,
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
        Self { segment: mebibytes(1), events: 10_000, published: mebibytes(64), unpublished: mebibytes(512) }
    }
}

/// The agent's events, on disk.
#[derive(Debug)]
pub(crate) struct Journal {
    agent: AgentId,
    directory: PathBuf,
    bounds: Bounds,
    state: Mutex<State>,
    /// The `seq` of the newest event.
    newest: watch::Sender<u64>,
    /// The `seq` up to which Redis has the events.
    acknowledged: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    /// Never empty; the last one is written to.
    segments: Vec<Segment>,
    open: File,
    last: Place,
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
        let state =
            State::open(directory).map_err(|source| JournalError::Io { directory: directory.to_owned(), source })?;
        let newest = watch::Sender::new(state.last.seq);
        Ok(Self {
            agent,
            directory: directory.to_owned(),
            bounds,
            state: Mutex::new(state),
            newest,
            acknowledged: watch::Sender::new(0),
        })
    }

    /// Writes an event down and returns it. It survives this process at once, and the node after [`Self::sync`].
    pub(crate) fn append(&self, task: Option<&str>, body: Body) -> Result<Event, JournalError> {
        let mut state = self.state();
        let timestamp = Timestamp::now();
        let now_ms = u64::try_from(timestamp.as_millisecond()).unwrap_or_default();
        let place = Place { id: state.last.id.next(now_ms), seq: state.last.seq + 1 };
        let task = task.map(ToOwned::to_owned);
        let event = Event { id: place.id, seq: place.seq, agent: self.agent.clone(), timestamp, task, body };
        let line = event.to_json()? + "\n";
        let acknowledged = *self.acknowledged.borrow();
        state
            .write(&self.directory, &self.bounds, acknowledged, place, line.as_bytes())
            .map_err(|source| self.failed(source))?;
        drop(state);
        self.newest.send_replace(place.seq);
        Ok(event)
    }

    /// Makes everything appended so far survive the node.
    pub(crate) async fn sync(&self) -> Result<(), JournalError> {
        let open = self.state().open.try_clone().map_err(|source| self.failed(source))?;
        let synced = tokio::task::spawn_blocking(move || open.sync_data()).await.map_err(io::Error::other).flatten();
        synced.map_err(|source| self.failed(source))
    }

    /// Like [`Self::sync`], for the rare moments that nothing may go on before.
    pub(crate) fn sync_now(&self) -> Result<(), JournalError> {
        self.state().open.sync_data().map_err(|source| self.failed(source))
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, source: io::Error) -> JournalError {
        JournalError::Io { directory: self.directory.clone(), source }
    }
}

impl State {
    fn open(directory: &Path) -> io::Result<Self> {
        let mut segments = Segment::list(directory)?;
        let mut last = None;
        // A crash may leave a segment that was made and not written to.
        while let Some(segment) = segments.last_mut() {
            last = segment.repair()?;
            if last.is_some() || segments.len() == 1 {
                break;
            }
            fs::remove_file(&segments.remove(segments.len() - 1).path)?;
        }
        let last = last.unwrap_or_default();
        if segments.is_empty() {
            segments.push(Segment::beginning_with(directory, last.seq + 1));
        }
        let open = append_to(&segments[segments.len() - 1])?;
        Ok(Self { segments, open, last })
    }

    fn write(
        &mut self,
        directory: &Path,
        bounds: &Bounds,
        acknowledged: u64,
        place: Place,
        line: &[u8],
    ) -> io::Result<()> {
        if self.current().length >= bounds.segment {
            self.rotate(directory, place.seq)?;
            self.prune(bounds, acknowledged)?;
        }
        if let Err(error) = self.open.write_all(line) {
            // Half a line in the middle would hide everything after it.
            let whole = self.current().length;
            self.open.set_len(whole)?;
            return Err(error);
        }
        self.last = place;
        self.current().length += line.len() as u64;
        Ok(())
    }

    fn current(&mut self) -> &mut Segment {
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }

    fn rotate(&mut self, directory: &Path, first: u64) -> io::Result<()> {
        self.open.sync_data()?;
        let segment = Segment::beginning_with(directory, first);
        self.open = append_to(&segment)?;
        self.segments.push(segment);
        File::open(directory)?.sync_all()
    }

    fn prune(&mut self, bounds: &Bounds, acknowledged: u64) -> io::Result<()> {
        while self.segments.len() > 1 && self.oldest_is_superfluous(bounds, acknowledged) {
            fs::remove_file(&self.segments.remove(0).path)?;
        }
        Ok(())
    }

    fn oldest_is_superfluous(&self, bounds: &Bounds, acknowledged: u64) -> bool {
        let next = self.segments[1].first;
        let kept_bytes: u64 = self.segments[1..].iter().map(|segment| segment.length).sum();
        let kept_events = self.last.seq + 1 - next;
        let published = next <= acknowledged + 1;
        if !published && kept_bytes >= bounds.unpublished {
            tracing::error!(up_to = next - 1, "events are lost: Redis was away for longer than the journal can bridge");
            return true;
        }
        published && (kept_events >= bounds.events || kept_bytes >= bounds.published)
    }
}

fn append_to(segment: &Segment) -> io::Result<File> {
    File::options().create(true).append(true).open(&segment.path)
}

#[cfg(test)]
mod tests;
