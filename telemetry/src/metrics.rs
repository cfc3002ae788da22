use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::text::encode,
    metrics::{histogram::Histogram, info::Info},
    registry::{Metric, Registry as Metrics},
};

use crate::process::Process;

/// The metrics of a program, each named after it: `komputer-operator` has `komputer_operator_…`.
///
/// It begins with `komputer_build_info` and the process metrics that Prometheus dashboards expect.
#[derive(Clone)]
pub struct Registry {
    prefix: String,
    metrics: Arc<RwLock<Metrics>>,
}

impl Registry {
    /// The registry of `program`, in the version of this workspace.
    pub fn new(program: &str) -> Self {
        let mut metrics = Metrics::default();
        let labels = vec![("program", program.to_owned()), ("version", env!("CARGO_PKG_VERSION").to_owned())];
        metrics.register("komputer_build", "Which program this is", Info::new(labels));
        metrics.register_collector(Box::new(Process::started_now()));
        Self { prefix: program.replace('-', "_"), metrics: Arc::new(RwLock::new(metrics)) }
    }

    /// Adds `metric` as `<program>_<name>`, and gives it back.
    ///
    /// A name ends in its base unit, like `reconcile_duration_seconds`; counters get their `_total` here. Labels have few
    /// values: kinds, results and reasons, never names of objects.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        let name = format!("{}_{name}", self.prefix);
        self.metrics.write().unwrap_or_else(PoisonError::into_inner).register(name, help, metric.clone());
        metric
    }

    /// Adds metrics that are worked out when somebody asks; they name themselves in full.
    pub fn register_collector(&self, collector: impl Collector) {
        self.metrics.write().unwrap_or_else(PoisonError::into_inner).register_collector(Box::new(collector));
    }

    /// All metrics as OpenMetrics text.
    ///
    /// # Errors
    /// Where a collector fails.
    pub fn encoded(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.metrics.read().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

/// A histogram of durations in seconds, from half a millisecond to half a minute, the same for every program.
pub fn latency() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0])
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::{counter::Counter, family::Family};

    use super::*;

    #[test]
    fn a_metric_is_named_after_the_program() {
        let registry = Registry::new("komputer-operator");
        let errors = registry.register("reconcile_errors", "Failed reconciles", Counter::<u64>::default());
        errors.inc_by(3);
        let text = registry.encoded().unwrap();
        assert!(text.contains("\nkomputer_operator_reconcile_errors_total 3\n"), "{text}");
        assert!(text.contains("komputer_build_info{program=\"komputer-operator\",version=\"0.1.0\"} 1\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn latencies_are_counted_by_label() {
        let registry = Registry::new("komputer-api");
        let family = Family::<[(&str, &str); 1], Histogram>::new_with_constructor(latency);
        let family = registry.register("request_duration_seconds", "Requests", family);
        family.get_or_create(&[("result", "ok")]).observe(0.003);
        let text = registry.encoded().unwrap();
        assert!(
            text.contains("komputer_api_request_duration_seconds_bucket{le=\"0.005\",result=\"ok\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("komputer_api_request_duration_seconds_bucket{le=\"0.002\",result=\"ok\"} 0\n"),
            "{text}"
        );
    }
}
