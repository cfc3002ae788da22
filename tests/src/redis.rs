//! A Redis of a test's own, on loopback, gone when it is dropped.
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use komputer_events::{
    AgentId,
    bus::{Address, Credentials, Streams},
};

use crate::ports::free_port;

/// How to log in as `username`, whose password is its name in all of these tests.
pub fn credentials(username: &str) -> Credentials {
    Credentials { username: username.into(), password: username.into() }
}

/// Whether what a Redis holds outlives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It is in an append-only file, as in production.
    Kept,
    /// It is forgotten.
    Lost,
}

/// A redis-server.
pub struct Redis {
    port: u16,
    directory: tempfile::TempDir,
    memory: Memory,
    process: Option<Child>,
}

impl Redis {
    /// Starts one with the users of `acl`, the content of an ACL file.
    ///
    /// # Errors
    /// There is no redis-server.
    pub fn start(acl: &str, memory: Memory) -> anyhow::Result<Self> {
        let port = free_port();
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("users.acl"), acl)?;
        let mut redis = Self { port, directory, memory, process: None };
        redis.restart()?;
        Ok(redis)
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        Address::new("127.0.0.1", self.port)
    }

    /// A connection to it as `username`.
    ///
    /// # Errors
    /// Never for addresses of this kind.
    pub fn streams(&self, username: &str) -> anyhow::Result<Streams> {
        Ok(Streams::new(&self.address(), &credentials(username))?)
    }

    /// Ends it at once, as `kill -9` does.
    ///
    /// # Errors
    /// It cannot be ended.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Starts it again, on the same port.
    ///
    /// # Errors
    /// There is no redis-server.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        let kept = if self.memory == Memory::Kept { "yes" } else { "no" };
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--aclfile", "users.acl"])
            .args(["--save", "", "--appendonly", kept, "--appendfsync", "always", "--logfile", "redis.log"])
            .current_dir(self.directory.path())
            .stdout(Stdio::null())
            .spawn();
        self.process = Some(process.context("redis-server is in Debian's package redis-server")?);
        Ok(())
    }

    /// Waits until it answers `username`.
    ///
    /// # Errors
    /// It does not within ten seconds.
    pub async fn ready(&self, username: &str) -> anyhow::Result<()> {
        let (streams, nobody) = (self.streams(username)?, AgentId::new("a", "a")?);
        for _ in 0..200 {
            if streams.last(&nobody).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = std::fs::read_to_string(self.directory.path().join("redis.log")).unwrap_or_default();
        bail!("redis-server did not come up: {log}")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill().ok();
    }
}
