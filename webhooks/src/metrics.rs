use std::{sync::atomic::AtomicU64, time::Duration};

use jiff::Timestamp;
use komputer_telemetry::{Registry, latency};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

/// What is counted and measured.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Request, Histogram, fn() -> Histogram>,
    certificate_expiry: Gauge<f64, AtomicU64>,
    bundles: Counter<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    webhook: &'static str,
    result: &'static str,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Self {
        let requests = Family::new_with_constructor(latency as fn() -> Histogram);
        Self {
            requests: registry.register("request_duration_seconds", "Requests of the apiserver", requests),
            certificate_expiry: registry.register(
                "certificate_expiry_timestamp_seconds",
                "When the certificate being served ends",
                Gauge::default(),
            ),
            bundles: registry.register("ca_bundles_applied", "caBundles applied", Counter::default()),
        }
    }

    pub(crate) fn answered(&self, webhook: &'static str, result: &'static str, took: Duration) {
        self.requests.get_or_create(&Request { webhook, result }).observe(took.as_secs_f64());
    }

    pub(crate) fn certificate_expires(&self, at: Timestamp) {
        self.certificate_expiry.set(at.as_duration().as_secs_f64());
    }

    pub(crate) fn bundle_applied(&self) {
        self.bundles.inc();
    }
}
