//! What every request shares.
use std::{sync::Arc, time::Duration};

use komputer_events::bus::Streams;
use komputer_telemetry::Health;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::Auth,
    live::{Hub, Places, QueueLimits, Timing},
    metrics::Metrics,
    watch::Caches,
};

/// Lists written at once; each may take megabytes.
pub const LISTS: usize = 4;

/// What every request shares. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// Who asks, and what they may.
    pub auth: Auth,
    /// What is in the cluster.
    pub caches: Caches,
    /// What agents said.
    pub streams: Streams,
    /// What agents say.
    pub hub: Hub,
    /// How many may listen.
    pub places: Places,
    /// How many lists are written at once.
    pub lists: Arc<Semaphore>,
    /// Every limit that can be set.
    pub limits: Limits,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether requests can be answered.
    pub health: Health,
    /// Cancelled when the process is to stop.
    pub shutdown: CancellationToken,
    /// The open sockets.
    pub sessions: TaskTracker,
}

/// Limits of sockets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What may wait for one socket.
    pub queue: QueueLimits,
    /// How patient a socket is.
    pub timing: Timing,
    /// How often an open socket's caller is asked about again.
    pub reauthorize: Duration,
}
