//! A Redis of the test's own, on loopback, gone when dropped.
use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use komputer_events::{
    AgentId, Cursor,
    bus::{Address, Credentials, Entry, Retention, Streams},
};

pub const PASSWORD: &str = "for-tests-only";

pub struct Redis {
    process: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Redis {
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let process = spawn(port, &directory);
        let redis = Self { process, port, directory };
        redis.wait().await;
        redis
    }

    pub fn address(&self) -> Address {
        format!("127.0.0.1:{}", self.port).parse().unwrap()
    }

    pub fn streams(&self) -> Streams {
        Streams::new(&self.address(), &credentials()).unwrap()
    }

    /// Ends it with everything it knows, and starts an empty one in its place.
    pub async fn replace(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(self.port, &self.directory);
        self.wait().await;
    }

    async fn wait(&self) {
        let (streams, nobody) = (self.streams(), AgentId::new("a", "a").unwrap());
        for _ in 0..200 {
            if streams.last(&nobody).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("redis-server did not come up; it is in Debian's package redis-server");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn spawn(port: u16, directory: &tempfile::TempDir) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", PASSWORD])
        .args(["--port", &port.to_string(), "--dir"])
        .arg(directory.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is in Debian's package redis-server")
}

pub fn credentials() -> Credentials {
    Credentials { username: "default".into(), password: PASSWORD.into() }
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
