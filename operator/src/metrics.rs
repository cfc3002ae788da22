//! What is counted and measured. Labels are kinds, phases, results and reasons, of which there are few; never names.
mod population;
mod queues;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use komputer_events::Event;
use komputer_telemetry::{Registry, latency};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

pub use population::Population;
use queues::Queues;

use crate::carry_out::CarryOutError;

/// What the operator does, in numbers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    reconciles: Family<Reconcile, Histogram, fn() -> Histogram>,
    decisions: Family<Decision, Histogram, fn() -> Histogram>,
    retries: Family<Reconcile, Counter>,
    requests: Family<Request, Counter>,
    events: Counter,
    lag: Histogram,
    queues: Queues,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    kind: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    action: &'static str,
    kind: String,
    result: &'static str,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Self {
        let queues = Queues::default();
        registry.register_collector(queues.clone());
        let reconciles = Family::new_with_constructor(latency as fn() -> Histogram);
        let help = "From an object's turn until all is carried out that was decided about it";
        let of_decisions = "From an object's turn until it is decided what to do about it: nobody is asked for that";
        Self(Arc::new(Inner {
            reconciles: registry.register("reconcile_duration_seconds", help, reconciles),
            decisions: registry.register(
                "decision_duration_seconds",
                of_decisions,
                Family::new_with_constructor(latency as fn() -> Histogram),
            ),
            retries: registry.register(
                "reconcile_retries",
                "Objects to be looked at again after a failure",
                Family::default(),
            ),
            requests: registry.register("writes", "Requests to the apiserver for one object each", Family::default()),
            events: registry.register("events_folded", "Events of agents taken into account", Counter::default()),
            lag: registry.register(
                "event_lag_seconds",
                "From an agent's event until it is taken into account, by the clocks of both",
                latency(),
            ),
            queues,
        }))
    }

    /// Objects of a kind wait in a queue of that length.
    pub(crate) fn queue(&self, kind: String, length: impl Fn() -> usize + Send + 'static) {
        self.0.queues.add(kind, length);
    }

    /// An object was looked at.
    pub(crate) fn reconciled(&self, kind: String, result: Result<(), &CarryOutError>, took: Duration) {
        let result = result.map_or_else(CarryOutError::reason, |()| "ok");
        self.0.reconciles.get_or_create(&Reconcile { kind, result }).observe(took.as_secs_f64());
    }

    /// It was decided what to do about an object.
    pub(crate) fn decided(&self, kind: String, took: Duration) {
        self.0.decisions.get_or_create(&Decision { kind }).observe(took.as_secs_f64());
    }

    /// An object is to be looked at again.
    pub(crate) fn retried(&self, kind: String, error: &CarryOutError) {
        self.0.retries.get_or_create(&Reconcile { kind, result: error.reason() }).inc();
    }

    /// The apiserver was asked.
    pub(crate) fn written(&self, action: &'static str, kind: String, result: Result<(), &CarryOutError>) {
        let result = result.map_or_else(CarryOutError::reason, |()| "ok");
        self.0.requests.get_or_create(&Request { action, kind, result }).inc();
    }

    /// An event of an agent was taken into account.
    pub(crate) fn folded(&self, event: &Event, now: Timestamp) {
        self.0.events.inc();
        self.0.lag.observe(now.duration_since(event.timestamp).as_secs_f64().max(0.0));
    }
}
