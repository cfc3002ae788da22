use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::population::family;

/// How many objects wait to be looked at, by kind, counted when somebody asks.
#[derive(Clone, Default)]
pub(super) struct Queues(Arc<Mutex<Vec<(String, Length)>>>);

type Length = Box<dyn Fn() -> usize + Send>;

impl fmt::Debug for Queues {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Queues")
    }
}

impl Queues {
    pub(super) fn add(&self, kind: String, length: impl Fn() -> usize + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((kind, Box::new(length)));
    }
}

impl Collector for Queues {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = queues.iter().map(|(kind, length)| (kind.clone(), i64::try_from(length()).unwrap_or(i64::MAX)));
        family(&mut to, "queue_depth", "Objects that wait to be looked at", "kind", counts)
    }
}

#[cfg(test)]
mod tests {
    use komputer_telemetry::Registry;

    use crate::metrics::Metrics;

    #[test]
    fn what_waits_is_counted_by_kind() {
        let registry = Registry::new("komputer-operator");
        let metrics = Metrics::new(&registry);
        metrics.queue("KomputerAgent".into(), || 7);
        metrics.queue("KomputerTask".into(), || 0);
        let text = registry.encoded().unwrap();
        for row in [r#"{kind="KomputerAgent"} 7"#, r#"{kind="KomputerTask"} 0"#] {
            assert!(text.contains(&format!("\nkomputer_operator_queue_depth{row}\n")), "{text}");
        }
    }
}
