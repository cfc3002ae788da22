use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff};
use komputer_events::{
    Cursor,
    bus::{Page, retry_policy},
};

use super::{
    Frame,
    continuity::{Continuity, Missing},
    queue::{Offer, Outbox},
};

/// One agent's stream, as far as it has been read, and who gets what is read.
#[derive(Debug)]
pub(super) struct Feed {
    cursor: Cursor,
    seen: Continuity,
    clients: Vec<Outbox>,
    /// Whether the stream is being read.
    pub(super) reading: Reading,
    /// Rests between attempts, since the last one that succeeded.
    rests: Option<ExponentialBackoff>,
}

/// Whether a stream is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// No; nothing is known to be new.
    Idle,
    /// It waits for its turn.
    Waiting,
    /// Yes; the bell may have rung since.
    Now {
        /// It has.
        rung: bool,
    },
    /// The last attempt failed, and the next one is set.
    Resting,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    /// Frames queued.
    pub queued: usize,
    /// Clients that could not keep up.
    pub slow: usize,
}

impl Feed {
    /// A stream nobody has read yet, which ended at `end` when its first client looked.
    pub(super) fn new(end: Cursor) -> Self {
        Self { cursor: end, seen: Continuity::default(), clients: Vec::new(), reading: Reading::Idle, rests: None }
    }

    /// What has been read.
    pub(super) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Adds a client, which from here on gets everything after the cursor that is returned; it fetches by itself what
    /// it lacks up to there.
    ///
    /// A stream that ends before what was read of it has been wiped and is being refilled. It is read again from there:
    /// clients are only given what they have not had.
    pub(super) fn join(&mut self, end: Cursor, mut client: Outbox) -> Cursor {
        if end < self.cursor {
            self.cursor = end;
            self.seen = Continuity::default();
        }
        client.advance(self.cursor);
        self.clients.push(client);
        self.cursor
    }

    /// Passes on a page that was read from `from`; a page from elsewhere is out of date and is read again.
    pub(super) fn deliver(&mut self, from: Cursor, page: Page) -> Delivery {
        self.rests = None;
        let rung = matches!(self.reading, Reading::Now { rung: true });
        let current = from == self.cursor;
        self.reading = if rung || page.more || !current { Reading::Waiting } else { Reading::Idle };
        let Some(end) = page.end.filter(|_| current) else { return Delivery::default() };
        let gap = (self.seen.follow(&page.entries) == Missing::Some)
            .then(|| page.entries.first().map(|first| Frame::gap(self.cursor, first.id)))
            .flatten();
        self.cursor = end;
        let frames: Vec<_> = page.entries.into_iter().map(Frame::event).collect();
        self.fan_out(gap.as_ref(), &frames)
    }

    fn fan_out(&mut self, gap: Option<&Frame>, frames: &[Frame]) -> Delivery {
        let mut delivery = Delivery::default();
        self.clients.retain_mut(|client| {
            let gap = gap.filter(|gap| client.position() == gap.cursor).map(|gap| client.offer(gap));
            for offer in gap.into_iter().chain(frames.iter().map(|frame| client.event(frame))) {
                match offer {
                    Offer::Taken => delivery.queued += 1,
                    Offer::Gone => return false,
                    Offer::Full => {
                        delivery.slow += 1;
                        return false;
                    }
                }
            }
            true
        });
        delivery
    }

    /// Notes that reading failed, and says how long to rest before the next attempt.
    pub(super) fn fail(&mut self) -> Duration {
        self.reading = Reading::Resting;
        self.rests.get_or_insert_with(|| retry_policy().build()).next().unwrap_or_default()
    }

    /// Forgets clients that are gone, and says whether any are left.
    pub(super) fn has_clients(&mut self) -> bool {
        self.clients.retain(|client| !client.is_closed());
        !self.clients.is_empty()
    }
}
