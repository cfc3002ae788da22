//! Logs, metrics and health endpoints: one way for every binary.
//!
//! [`init`] is all that a small process needs. With the feature `server`, `serve` answers on an address of its own what
//! Kubernetes and Prometheus ask: `/healthz` (the process runs), `/readyz` (every check of its `Health` passes) and
//! `/metrics` (its `Registry`). With the feature `traces`, spans go where `OTEL_EXPORTER_OTLP_ENDPOINT` says.

mod log;

#[cfg(feature = "server")]
mod health;
#[cfg(feature = "server")]
mod metrics;
#[cfg(feature = "server")]
mod process;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "traces")]
mod traces;

pub use log::{Telemetry, init};

#[cfg(feature = "server")]
pub use health::{Check, Health};
#[cfg(feature = "server")]
pub use metrics::{Registry, latency};
#[cfg(feature = "server")]
pub use server::serve;
