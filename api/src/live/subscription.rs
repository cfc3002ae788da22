use backon::BackoffBuilder as _;
use komputer_events::{
    AgentId, Cursor,
    bus::{BusError, Page, Streams, retry_policy},
};

use super::{
    Frame, Hub,
    continuity::{Continuity, Missing},
    queue::{Inbox, Limits, queue},
};
use crate::error::ApiError;

/// Events a read of the past returns at most.
const EVENTS: usize = 128;

/// Where a client begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what happens from here on; everything up to the cursor is old.
    Live(Cursor),
    /// With what Redis still has after the cursor, then with what happens.
    Replay(Cursor),
}

/// One client's events: each exactly once, in order, and where one is missing a notice that says so.
pub struct Subscription {
    hub: Hub,
    streams: Streams,
    agent: AgentId,
    limits: Limits,
    position: Cursor,
    seen: Continuity,
    stage: Stage,
}

enum Stage {
    /// Reads the past until it is the present.
    Replay,
    /// Has everything up to its position, and asks the hub for the rest.
    Join,
    /// Reads what happened up to `until`; the hub has what comes after.
    Bridge { until: Cursor, inbox: Inbox },
    /// Waits for the hub.
    Live(Inbox),
}

/// Nothing more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client's queue was full.
    Overflow,
    /// The hub is gone.
    Stopped,
}

impl Subscription {
    /// Nothing is read before [`Self::next`] is called.
    pub fn new(hub: Hub, streams: Streams, agent: AgentId, start: Start, limits: Limits) -> Self {
        let (position, stage) = match start {
            Start::Live(position) => (position, Stage::Join),
            Start::Replay(position) => (position, Stage::Replay),
        };
        Self { hub, streams, agent, limits, position, seen: Continuity::default(), stage }
    }

    /// Where the client began.
    pub fn position(&self) -> Cursor {
        self.position
    }

    /// Whether the client's queue is full: it is to be told now, not after what still waits.
    pub fn overflowed(&self) -> bool {
        matches!(&self.stage, Stage::Bridge { inbox, .. } | Stage::Live(inbox) if inbox.overflowed())
    }

    /// Waits for the next frames. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Ended`], for good.
    pub async fn next(&mut self) -> Result<Vec<Frame>, Ended> {
        loop {
            let frames = match &mut self.stage {
                Stage::Live(inbox) => return live(inbox).await,
                Stage::Join => {
                    self.join().await?;
                    continue;
                }
                Stage::Replay => self.replay().await,
                Stage::Bridge { until, .. } => {
                    let until = *until;
                    self.bridge(until).await
                }
            };
            if !frames.is_empty() {
                return Ok(frames);
            }
        }
    }

    async fn join(&mut self) -> Result<(), Ended> {
        let end = || async { self.streams.last(&self.agent).await };
        let end = patiently(end).await.unwrap_or(Cursor::START);
        let (outbox, inbox) = queue(self.limits, self.position);
        let joined: Result<Cursor, ApiError> = self.hub.join(self.agent.clone(), end, outbox).await;
        let until = joined.map_err(|_| Ended::Stopped)?;
        self.stage = if self.position < until { Stage::Bridge { until, inbox } } else { Stage::Live(inbox) };
        Ok(())
    }

    async fn replay(&mut self) -> Vec<Frame> {
        let (page, gap) = self.read().await;
        if !page.more {
            self.stage = Stage::Join;
        }
        self.take(page, gap)
    }

    async fn bridge(&mut self, until: Cursor) -> Vec<Frame> {
        let (mut page, gap) = self.read().await;
        let done = !page.more || page.end.is_some_and(|end| end >= until);
        page.entries.retain(|entry| entry.id <= until);
        if done && let Stage::Bridge { inbox, .. } = std::mem::replace(&mut self.stage, Stage::Join) {
            self.stage = Stage::Live(inbox);
        }
        self.take(page, gap)
    }

    fn take(&mut self, page: Page, gap: Option<Frame>) -> Vec<Frame> {
        self.seen.follow(&page.entries);
        self.position = page.entries.last().map_or(self.position, |last| last.id);
        gap.into_iter().chain(page.entries.into_iter().map(Frame::event)).collect()
    }

    /// The page after the position, and a notice where events are missing before it.
    async fn read(&self) -> (Page, Option<Frame>) {
        let after = || async { self.streams.after(&self.agent, None, self.position, EVENTS).await };
        let page = patiently(after).await;
        let Some(first) = page.entries.first().map(|first| first.id) else { return (page, None) };
        let mut seen = self.seen;
        let missing = match seen.follow(&page.entries) {
            Missing::Nothing => false,
            Missing::Some => true,
            Missing::Unknown if self.position == Cursor::START => true,
            Missing::Unknown => self.is_oldest(first).await,
        };
        let gap = missing.then(|| Frame::gap(self.position, first));
        (page, gap)
    }

    /// Whether nothing is left before the event.
    async fn is_oldest(&self, event: Cursor) -> bool {
        let before = || async { self.streams.before(&self.agent, Some(event), 1).await };
        patiently(before).await.end.is_none()
    }
}

async fn live(inbox: &mut Inbox) -> Result<Vec<Frame>, Ended> {
    let frames = inbox.take(EVENTS).await;
    match (frames.is_empty(), inbox.overflowed()) {
        (false, _) => Ok(frames),
        (true, true) => Err(Ended::Overflow),
        (true, false) => Err(Ended::Stopped),
    }
}

/// Asks Redis until it answers: a socket outlives its outage.
async fn patiently<T, F: Future<Output = Result<T, BusError>>>(mut ask: impl FnMut() -> F) -> T {
    let mut delays = retry_policy().build();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                let delay = delays.next().unwrap_or_default();
                tracing::warn!(error = &error as &dyn std::error::Error, ?delay, "cannot read events for a socket");
                tokio::time::sleep(delay).await;
            }
        }
    }
}
