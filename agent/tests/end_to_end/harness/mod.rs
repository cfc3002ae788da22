//! Starts what a pod and its surroundings consist of, and looks at what comes out.
mod agent;
mod model;
mod redis;

use std::{path::PathBuf, time::Duration};

pub use agent::{Agent, MODEL_KEY, SEALING_KEY, TOKEN, task};
pub use model::Model;
pub use redis::Redis;

/// Nothing these tests wait for takes as long, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A workspace, a Redis and a model; agents come and go.
pub struct Surroundings {
    pub redis: Redis,
    pub model: Model,
    /// Holds the programs and the workspace; everybody may look into it.
    pub directory: tempfile::TempDir,
    /// Mebibytes of the workspace's volume, where it is small.
    volume: Option<u32>,
}

impl Surroundings {
    /// Nothing where Claude Code is not at hand.
    pub async fn prepare() -> Option<Self> {
        let claude = claude()?;
        // Another test may have been first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = agent::prepare_directory(&claude);
        let redis = Redis::start();
        Some(Self { redis, model: Model::start().await, directory, volume: None })
    }

    /// Waits until `found` finds something.
    pub async fn until<T>(&mut self, what: &str, mut found: impl AsyncFnMut(&mut Self) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if let Some(found) = found(self).await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = std::fs::read_to_string(self.directory.path().join("agent.log")).unwrap_or_default();
        panic!("waited too long for {what}; the agent's log:\n{log}")
    }
}

fn claude() -> Option<PathBuf> {
    let claude = std::env::var_os("KOMPUTER_CLAUDE");
    if claude.is_none() {
        assert!(std::env::var_os("CI").is_none(), "KOMPUTER_CLAUDE must name the Claude Code executable");
        eprintln!("SKIPPED: KOMPUTER_CLAUDE does not name a Claude Code executable");
    }
    claude.map(Into::into)
}
