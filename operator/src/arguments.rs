use std::{net::SocketAddr, num::NonZeroU32};

use clap::Parser;
use komputer_events::bus::Address;

/// Runs komputer's controllers. One replica leads; others wait.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// The namespace the operator runs in; its Secrets and its lease are there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "komputer-system")]
    pub(crate) namespace: String,

    /// This replica's name, for the lease.
    #[arg(long, env = "POD_NAME", default_value = "komputer-operator")]
    pub(crate) identity: String,

    /// Redis, HOST:PORT.
    #[arg(long, env = "KOMPUTER_REDIS_ADDRESS", default_value = "komputer-redis.komputer-system.svc:6379")]
    pub(crate) redis_address: Address,

    /// Redis as agents reach it, HOST:PORT; as the operator does where absent.
    #[arg(long, env = "KOMPUTER_AGENT_REDIS_ADDRESS")]
    pub(crate) agent_redis_address: Option<Address>,

    /// The image of agents whose template names none.
    #[arg(long, env = "KOMPUTER_AGENT_IMAGE")]
    pub(crate) agent_image: String,

    /// How many agents of all namespaces may be awake at a time, from 1; no limit where absent.
    #[arg(long, env = "KOMPUTER_MAX_AWAKE_AGENTS")]
    pub(crate) max_awake_agents: Option<NonZeroU32>,

    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "KOMPUTER_HEALTH_LISTEN", default_value = "0.0.0.0:8081")]
    pub(crate) health_listen: SocketAddr,
}
