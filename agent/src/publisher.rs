//! Brings the journal's events to Redis, however often Redis goes away or forgets.
use std::{convert::Infallible, sync::Arc, time::Duration};

use backon::BackoffBuilder as _;
use komputer_events::{
    AgentId, Cursor,
    bus::{BusError, Retention, Streams, retry_policy},
};

use crate::journal::{Batch, Journal, JournalError, Position};

/// Events in one append.
const BATCH: usize = 100;
/// Bytes in one append.
const BATCH_BYTES: usize = 256 * 1024;
/// How often an idle publisher looks whether Redis still has what it was given.
const CHECK: Duration = Duration::from_secs(30);

/// Publishes one agent's journal. It holds at most one batch in memory.
pub(crate) struct Publisher {
    pub(crate) journal: Arc<Journal>,
    pub(crate) streams: Streams,
    pub(crate) agent: AgentId,
    /// The uid of the agent's object.
    pub(crate) uid: String,
}

#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What to do with what the stream holds before the next append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// It ends here; append.
    EndsAt(Option<Cursor>),
    /// It is not a beginning of the journal; throw it away.
    IsForeign,
}

impl Publisher {
    /// Publishes until the journal cannot be read.
    pub(crate) async fn run(self) -> JournalError {
        let mut delays = retry_policy().build();
        loop {
            let Err(error) = self.session(|| delays = retry_policy().build()).await;
            match error {
                PublishError::Journal(error) => return error,
                PublishError::Bus(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "events wait in the journal");
                }
            }
            tokio::time::sleep(delays.next().unwrap_or(CHECK)).await;
        }
    }

    /// Finds out where the stream stands and goes on from there, until something fails.
    async fn session(&self, mut succeeded: impl FnMut()) -> Result<Infallible, PublishError> {
        let mut newest = self.journal.newest();
        let (mut position, mut stream) = self.locate().await?;
        loop {
            self.journal.acknowledge(position.seq);
            newest.mark_unchanged();
            let batch = self.journal.read(position, BATCH, BATCH_BYTES)?;
            if !batch.entries.is_empty() {
                self.publish(&batch, stream).await?;
                stream = Stream::EndsAt(batch.end.id);
            }
            if batch.end != position {
                position = batch.end;
                continue;
            }
            succeeded();
            let is_idle = tokio::time::timeout(CHECK, newest.changed()).await.is_err();
            if is_idle && self.streams.last(&self.agent).await? != position.id {
                (position, stream) = self.locate().await?;
            }
        }
    }

    async fn publish(&self, batch: &Batch, stream: Stream) -> Result<(), PublishError> {
        // Redis must never know more than a node that crashes now would remember.
        if batch.matters {
            self.journal.sync().await?;
        }
        let (agent, uid, retention) = (&self.agent, &self.uid, Retention::default());
        match stream {
            Stream::EndsAt(end) => self.streams.append(agent, uid, end, &batch.entries, retention).await?,
            Stream::IsForeign => self.streams.refill(agent, uid, &batch.entries, retention).await?,
        }
        Ok(())
    }

    /// Where in the journal to go on, given how the stream ends.
    async fn locate(&self) -> Result<(Position, Stream), PublishError> {
        let beginning = self.journal.beginning();
        let Some(end) = self.streams.last(&self.agent).await? else {
            return Ok((beginning, Stream::EndsAt(None)));
        };
        if let Some(position) = self.journal.after(end)? {
            return Ok((position, Stream::EndsAt(Some(end))));
        }
        let oldest = self.journal.read(beginning, 1, BATCH_BYTES)?.entries.first().map(|entry| entry.id);
        // What ends before our oldest event is older history, of this agent or of one that had its name.
        let is_older = oldest.is_none_or(|oldest| end < oldest);
        Ok((beginning, if is_older { Stream::EndsAt(Some(end)) } else { Stream::IsForeign }))
    }
}
