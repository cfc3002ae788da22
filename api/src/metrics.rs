//! What is counted.
use std::time::Duration;

use komputer_telemetry::{Registry, latency};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use warp::http::StatusCode;

/// What is counted. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Request, Histogram, fn() -> Histogram>,
    /// Open sockets.
    pub sockets: Gauge,
    /// Streams somebody listens to.
    pub streams: Gauge,
    /// Events queued for sockets, once for each.
    pub delivered: Counter,
    /// Sockets closed because their client could not keep up.
    pub slow: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: &'static str,
    code: u16,
}

impl Metrics {
    /// Metrics that `registry` shows.
    pub fn new(registry: &Registry) -> Self {
        let requests = Family::new_with_constructor(latency as fn() -> Histogram);
        Self {
            requests: registry.register("request_duration_seconds", "Requests by route and status code", requests),
            sockets: registry.register("sockets", "Open sockets", Gauge::default()),
            streams: registry.register("streams", "Event streams with at least one socket", Gauge::default()),
            delivered: registry.register("events_queued", "Events queued for sockets, one by one", Counter::default()),
            slow: registry.register("slow_sockets", "Sockets closed because their client was slow", Counter::default()),
        }
    }

    /// Counts a request that was answered.
    pub fn answered(&self, route: &'static str, status: StatusCode, took: Duration) {
        self.requests.get_or_create(&Request { route, code: status.as_u16() }).observe(took.as_secs_f64());
    }
}
