use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use komputer_events::{
    AgentId, Cursor,
    bus::{BusError, Page, Ring, Streams},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval},
};

use super::{
    feed::{Feed, Reading},
    queue::Outbox,
};
use crate::{error::ApiError, metrics::Metrics};

/// Streams read at once; they share one connection.
const READS: usize = 64;
/// Streams whose bells have not rung read at once: few, so that those that have rung need not wait.
const READS_UNRUNG: usize = 4;
/// Events a read returns at most.
const EVENTS: usize = 128;
/// Clients that wait to be let in.
const JOINS: usize = 256;
/// How often every stream is looked at, rung or not: bells keep a limited number of rings.
const SWEEP: Duration = Duration::from_secs(15);

/// The one reader of events. Cheap to clone; it runs until the last clone is gone.
#[derive(Clone)]
pub struct Hub {
    joins: mpsc::Sender<Join>,
}

struct Join {
    agent: AgentId,
    end: Cursor,
    client: Outbox,
    from: oneshot::Sender<Cursor>,
}

impl Hub {
    /// Starts reading `streams` whenever one of `rings` says so. Must be called within a Tokio runtime.
    pub fn start(streams: Streams, rings: mpsc::Receiver<Ring>, metrics: Metrics) -> Self {
        let (joins, receiver) = mpsc::channel(JOINS);
        tokio::spawn(Feeds::new(streams, metrics).run(rings, receiver));
        Self { joins }
    }

    /// Lets a client in on an agent's stream, which ended at `end` a moment ago. The client gets everything after the
    /// cursor that is returned.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] where the process is shutting down.
    pub(super) async fn join(&self, agent: AgentId, end: Cursor, client: Outbox) -> Result<Cursor, ApiError> {
        let stopping = || ApiError::Unavailable("this server is shutting down".into());
        let (from, joined) = oneshot::channel();
        self.joins.send(Join { agent, end, client, from }).await.map_err(|_| stopping())?;
        joined.await.map_err(|_| stopping())
    }
}

struct Read {
    agent: AgentId,
    from: Cursor,
    result: Result<Page, BusError>,
}

struct Feeds {
    streams: Streams,
    metrics: Metrics,
    by_agent: HashMap<AgentId, Feed>,
    waiting: VecDeque<AgentId>,
    /// Streams whose bells have not rung, still to be looked at in this sweep.
    unrung: VecDeque<AgentId>,
    reads: FuturesUnordered<BoxFuture<'static, Read>>,
    rests: FuturesUnordered<BoxFuture<'static, AgentId>>,
}

impl Feeds {
    fn new(streams: Streams, metrics: Metrics) -> Self {
        Self {
            streams,
            metrics,
            by_agent: HashMap::new(),
            waiting: VecDeque::new(),
            unrung: VecDeque::new(),
            reads: FuturesUnordered::new(),
            rests: FuturesUnordered::new(),
        }
    }

    async fn run(mut self, mut rings: mpsc::Receiver<Ring>, mut joins: mpsc::Receiver<Join>) {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(read) = self.reads.next() => self.finish(read),
                Some(ring) = rings.recv() => match ring {
                    Ring::Agents(agents) => agents.iter().for_each(|agent| self.wake(agent)),
                    Ring::Anybody => self.wake_all(),
                },
                join = joins.recv() => match join {
                    Some(join) => self.join(join),
                    None => return,
                },
                Some(agent) = self.rests.next() => self.rested(&agent),
                _ = sweep.tick() => self.sweep(),
            }
            self.start_reads();
            self.metrics.streams.set(i64::try_from(self.by_agent.len()).unwrap_or(i64::MAX));
        }
    }

    fn join(&mut self, join: Join) {
        let Join { agent, end, client, from } = join;
        let feed = self.by_agent.entry(agent.clone()).or_insert_with(|| Feed::new(end));
        let cursor = feed.join(end, client);
        // Between the client's look at the end and here the bell may have rung for nobody.
        self.wake(&agent);
        // A client that left meanwhile is noticed like any other.
        from.send(cursor).ok();
    }

    fn wake(&mut self, agent: &AgentId) {
        let Some(feed) = self.by_agent.get_mut(agent) else { return };
        match &mut feed.reading {
            Reading::Idle => {
                feed.reading = Reading::Waiting;
                self.waiting.push_back(agent.clone());
            }
            Reading::Now { rung } => *rung = true,
            Reading::Waiting | Reading::Resting => {}
        }
    }

    /// Forgets streams nobody listens to, and has all others looked at when there is nothing better to do.
    fn sweep(&mut self) {
        self.by_agent.retain(|_, feed| feed.has_clients() || matches!(feed.reading, Reading::Now { .. }));
        if self.unrung.is_empty() {
            self.unrung.extend(self.by_agent.keys().cloned());
        }
    }

    fn wake_all(&mut self) {
        for (agent, feed) in &mut self.by_agent {
            match &mut feed.reading {
                Reading::Idle | Reading::Resting => {
                    feed.reading = Reading::Waiting;
                    self.waiting.push_back(agent.clone());
                }
                Reading::Now { rung } => *rung = true,
                Reading::Waiting => {}
            }
        }
    }

    fn rested(&mut self, agent: &AgentId) {
        if let Some(feed) = self.by_agent.get_mut(agent)
            && feed.reading == Reading::Resting
        {
            feed.reading = Reading::Waiting;
            self.waiting.push_back(agent.clone());
        }
    }

    fn start_reads(&mut self) {
        while self.reads.len() + self.waiting.len() < READS_UNRUNG
            && let Some(agent) = self.unrung.pop_front()
        {
            self.wake(&agent);
        }
        while self.reads.len() < READS
            && let Some(agent) = self.waiting.pop_front()
        {
            let Some(feed) = self.by_agent.get_mut(&agent).filter(|feed| feed.reading == Reading::Waiting) else {
                continue;
            };
            if !feed.has_clients() {
                self.by_agent.remove(&agent);
                continue;
            }
            feed.reading = Reading::Now { rung: false };
            let (streams, from) = (self.streams.clone(), feed.cursor());
            let read = async move {
                let result = streams.after(&agent, None, from, EVENTS).await;
                Read { agent, from, result }
            };
            self.reads.push(read.boxed());
        }
    }

    fn finish(&mut self, read: Read) {
        let Read { agent, from, result } = read;
        let Some(feed) = self.by_agent.get_mut(&agent) else { return };
        match result {
            Ok(page) => {
                let delivery = feed.deliver(from, page);
                self.metrics.delivered.inc_by(delivery.queued as u64);
                self.metrics.slow.inc_by(delivery.slow as u64);
                if delivery.slow > 0 {
                    tracing::info!(%agent, sockets = delivery.slow, "sockets could not keep up and are closed");
                }
                if feed.reading == Reading::Waiting {
                    self.waiting.push_back(agent);
                }
            }
            Err(error) => {
                let rest = feed.fail();
                tracing::warn!(error = &error as &dyn std::error::Error, %agent, ?rest, "cannot read events");
                self.rests.push(tokio::time::sleep(rest).map(|()| agent).boxed());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use komputer_events::bus::{Credentials, Entry};
    use komputer_telemetry::Registry;

    use super::*;
    use crate::live::queue::{Inbox, Limits, queue};

    const NOBODY: &str = "127.0.0.1:1";

    fn feeds() -> Feeds {
        let credentials = Credentials { username: "u".into(), password: "p".into() };
        let streams = Streams::new(&NOBODY.parse().unwrap(), &credentials).unwrap();
        Feeds::new(streams, Metrics::new(&Registry::new("komputer-api")))
    }

    fn ada() -> AgentId {
        AgentId::new("team-a", "ada").unwrap()
    }

    fn join(feeds: &mut Feeds) -> Inbox {
        let (client, inbox) = queue(Limits { frames: 9, bytes: 9_999 }, Cursor::START);
        feeds.join(Join { agent: ada(), end: Cursor::START, client, from: oneshot::channel().0 });
        inbox
    }

    fn page(id: &str, more: bool) -> Page {
        let id: Cursor = id.parse().unwrap();
        Page { entries: vec![Entry { id, json: String::new() }], end: Some(id), more }
    }

    #[tokio::test]
    async fn a_stream_is_read_when_somebody_joins_and_again_when_its_bell_rang_meanwhile() {
        let mut feeds = feeds();
        let _client = join(&mut feeds);
        assert_eq!(feeds.waiting, [ada()], "the bell may have rung before anybody listened");
        feeds.start_reads();
        assert!(feeds.waiting.is_empty());
        feeds.wake(&ada());
        feeds.finish(Read { agent: ada(), from: Cursor::START, result: Ok(page("7-0", false)) });
        assert_eq!(feeds.waiting, [ada()], "what rang during the read may not be in it");
        feeds.start_reads();
        feeds.finish(Read { agent: ada(), from: "7-0".parse().unwrap(), result: Ok(page("8-0", true)) });
        assert_eq!(feeds.waiting, [ada()], "there is more than a page");
        feeds.start_reads();
        feeds.finish(Read { agent: ada(), from: "8-0".parse().unwrap(), result: Ok(Page::default()) });
        assert!(feeds.waiting.is_empty());
    }

    #[tokio::test]
    async fn a_stream_nobody_listens_to_is_not_read() {
        let mut feeds = feeds();
        feeds.wake(&ada());
        assert!(feeds.waiting.is_empty());
        drop(join(&mut feeds));
        feeds.start_reads();
        assert!(feeds.reads.is_empty() && feeds.by_agent.is_empty());
    }

    #[tokio::test]
    async fn a_bell_that_was_missed_is_made_up_for() {
        let mut feeds = feeds();
        let _client = join(&mut feeds);
        feeds.start_reads();
        feeds.finish(Read { agent: ada(), from: Cursor::START, result: Ok(Page::default()) });
        feeds.start_reads();
        assert_eq!(feeds.by_agent[&ada()].reading, Reading::Idle);
        feeds.sweep();
        feeds.start_reads();
        assert_eq!(feeds.by_agent[&ada()].reading, Reading::Now { rung: false });
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_fails_is_repeated_after_growing_rests() {
        let mut feeds = feeds();
        let _client = join(&mut feeds);
        let mut rests = Vec::new();
        for _ in 0..8 {
            feeds.start_reads();
            let failed = feeds.reads.next().await.unwrap();
            assert!(failed.result.is_err());
            feeds.finish(failed);
            let failed_at = tokio::time::Instant::now();
            let rested = feeds.rests.next().await.unwrap();
            rests.push(failed_at.elapsed().as_millis());
            feeds.rested(&rested);
        }
        for (rest, least) in rests.into_iter().zip([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
            assert!((least..=2 * least).contains(&rest), "{rest} ms, and not {least} ms with some jitter");
        }
    }
}
