//! Flags and environment.
use std::{net::SocketAddr, time::Duration};

use clap::{Parser, ValueEnum};
use komputer_events::bus::{Address, Credentials};

use crate::{
    api,
    live::{QueueLimits, Timing},
    server,
};

/// Serves what komputer's agents are and say, over REST and WebSocket. Reads only.
#[derive(Debug, Parser)]
#[command(name = "komputer-api", version)]
pub struct Args {
    /// Address to serve on.
    #[arg(long, env = "KOMPUTER_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Address to serve /healthz, /readyz and /metrics on, without authentication.
    #[arg(long, env = "KOMPUTER_METRICS_LISTEN", default_value = "0.0.0.0:8081")]
    pub metrics_listen: SocketAddr,

    /// How callers are known. `none` serves everything to everybody on this machine, and only there.
    #[arg(long, env = "KOMPUTER_AUTH", value_enum, default_value_t = AuthMode::Kubernetes)]
    pub auth: AuthMode,

    /// Where Redis is, as HOST:PORT.
    #[arg(long, env = "KOMPUTER_REDIS_ADDRESS", default_value = "komputer-redis:6379")]
    pub redis_address: Address,

    /// The Redis user. Its password is read from KOMPUTER_REDIS_PASSWORD.
    #[arg(long, env = "KOMPUTER_REDIS_USERNAME", default_value = "komputer-api")]
    pub redis_username: String,

    /// HTTP connections open at once; more wait. Sockets are counted apart.
    #[arg(long, env = "KOMPUTER_MAX_CONNECTIONS", default_value_t = 1_024, value_parser = at_least_one)]
    pub max_connections: usize,

    /// Sockets open at once.
    #[arg(long, env = "KOMPUTER_MAX_SOCKETS", default_value_t = 2_000, value_parser = at_least_one)]
    pub max_sockets: usize,

    /// Sockets one caller may have open at once.
    #[arg(long, env = "KOMPUTER_MAX_SOCKETS_PER_CALLER", default_value_t = 500, value_parser = at_least_one)]
    pub max_sockets_per_caller: usize,

    /// Events that may wait for one socket before it is closed as too slow.
    #[arg(long, env = "KOMPUTER_QUEUE_EVENTS", default_value_t = 1_024, value_parser = at_least_one)]
    pub queue_events: usize,

    /// Bytes of events that may wait for one socket before it is closed as too slow.
    #[arg(long, env = "KOMPUTER_QUEUE_BYTES", default_value_t = 1024 * 1024, value_parser = at_least_one)]
    pub queue_bytes: usize,

    /// Seconds between checks that the caller of an open socket may still have it.
    #[arg(long, env = "KOMPUTER_REAUTHORIZE_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub reauthorize_seconds: u64,

    /// Seconds between pings of an open socket; one that does not answer by the next is closed.
    #[arg(long, env = "KOMPUTER_PING_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub ping_seconds: u64,
}

/// How callers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// By Kubernetes bearer tokens.
    Kubernetes,
    /// Not at all.
    None,
}

/// The arguments cannot be used together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidArgs {
    /// Anybody on the network could read everything.
    #[error(
        "--auth=none would let anybody who reaches {0} read everything; use --listen=127.0.0.1:8080, or --auth=kubernetes"
    )]
    OpenToTheNetwork(SocketAddr),
    /// There is no password.
    #[error(
        "KOMPUTER_REDIS_PASSWORD is not set; set it to the password of Redis user {0:?}, which the Secret komputer-redis holds"
    )]
    NoPassword(String),
}

const PASSWORD: &str = "KOMPUTER_REDIS_PASSWORD";

impl Args {
    /// # Errors
    /// The arguments contradict each other.
    pub fn validate(&self) -> Result<(), InvalidArgs> {
        match self.auth {
            AuthMode::None if !self.listen.ip().is_loopback() => Err(InvalidArgs::OpenToTheNetwork(self.listen)),
            _ => Ok(()),
        }
    }

    /// The Redis user and its password; the password comes from the environment alone, so that no process list shows it.
    ///
    /// # Errors
    /// There is none.
    pub fn credentials(&self) -> Result<Credentials, InvalidArgs> {
        let username = self.redis_username.clone();
        match std::env::var(PASSWORD) {
            Ok(password) if !password.is_empty() => Ok(Credentials { username, password }),
            _ => Err(InvalidArgs::NoPassword(username)),
        }
    }

    /// Limits of sockets.
    pub fn socket_limits(&self) -> api::Limits {
        api::Limits {
            queue: QueueLimits { frames: self.queue_events, bytes: self.queue_bytes },
            timing: Timing { ping: Duration::from_secs(self.ping_seconds), ..Timing::default() },
            reauthorize: Duration::from_secs(self.reauthorize_seconds),
        }
    }

    /// Limits of connections.
    pub fn connection_limits(&self) -> server::Limits {
        server::Limits { connections: self.max_connections, ..server::Limits::default() }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number, at least 1".into()),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(flags: &[&str]) -> Args {
        Args::parse_from([&["komputer-api"], flags].concat())
    }

    #[test]
    fn without_authentication_only_loopback_is_served() {
        let refused = args(&["--auth=none"]);
        assert_eq!(refused.validate(), Err(InvalidArgs::OpenToTheNetwork(refused.listen)));
        assert!(args(&["--auth=none", "--listen=192.0.2.1:80"]).validate().is_err());
        assert!(args(&["--auth=none", "--listen=127.0.0.1:8080"]).validate().is_ok());
        assert!(args(&["--auth=none", "--listen=[::1]:8080"]).validate().is_ok());
        assert!(args(&[]).validate().is_ok());
    }
}
