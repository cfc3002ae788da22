//! A Redis of the test's own, and what agents do to it.
use std::time::Duration;

use komputer_events::{
    AgentId, Cursor,
    bus::{Address, Entry, Retention, Streams},
};
use komputer_tests::redis::{self as server, Memory};

/// The user of these tests, who may do everything.
pub const USER: &str = "tester";

pub struct Redis(server::Redis);

impl Redis {
    pub async fn start() -> Self {
        let acl = format!("user default off\nuser {USER} on >{USER} ~* &* +@all\n");
        let redis = Self(server::Redis::start(&acl, Memory::Lost).unwrap());
        redis.0.ready(USER).await.unwrap();
        redis
    }

    pub fn address(&self) -> Address {
        self.0.address()
    }

    pub fn streams(&self) -> Streams {
        self.0.streams(USER).unwrap()
    }

    /// Ends it with everything it knows, and starts an empty one in its place.
    pub async fn replace(&mut self) {
        self.0.restart().unwrap();
        self.0.ready(USER).await.unwrap();
    }
}

/// What an agent does to its stream.
pub struct Producer {
    streams: Streams,
    pub agent: AgentId,
    pub retention: Retention,
    /// Everything it has said, the oldest first.
    pub said: Vec<Entry>,
    /// The last id it, or who had the name before it, has used.
    last: Cursor,
}

impl Producer {
    pub fn new(redis: &Redis, namespace: &str, name: &str) -> Self {
        Self::later(redis, namespace, name, Cursor::START.next(1_790_000_000_000))
    }

    /// An agent whose name another had, up to `last`.
    pub fn later(redis: &Redis, namespace: &str, name: &str, last: Cursor) -> Self {
        let agent = AgentId::new(namespace, name).unwrap();
        Self { streams: redis.streams(), agent, retention: Retention::default(), said: vec![], last }
    }

    /// Says this many things at once.
    pub async fn say(&mut self, count: usize) {
        let expected = self.said.last().map(|entry| entry.id);
        let batch: Vec<_> = (self.said.len()..).take(count).map(|said| self.next(said + 1)).collect();
        self.streams.append(&self.agent, "uid", expected, &batch, self.retention).await.unwrap();
        self.said.extend(batch);
    }

    fn next(&mut self, seq: usize) -> Entry {
        let id = self.last.next(self.last.milliseconds() + seq as u64 % 2);
        self.last = id;
        let (namespace, name) = (self.agent.namespace(), self.agent.name());
        let json = format!(
            "{{\"id\":\"{id}\",\"seq\":{seq},\"agentName\":\"{name}\",\"namespace\":\"{namespace}\",\
             \"timestamp\":\"2026-09-21T13:33:20.000Z\",\"type\":\"text\",\"payload\":{{\"content\":\"{seq}\"}}}}"
        );
        Entry { id, json }
    }

    /// Writes everything it has said into its stream, whatever is there, once Redis answers.
    pub async fn refill(&self) {
        while self.streams.refill(&self.agent, "uid", &self.said, self.retention).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Removes its stream, and tells the last id in it.
    pub async fn delete(self) -> Cursor {
        self.streams.remove(&self.agent).await.unwrap();
        self.last
    }
}
