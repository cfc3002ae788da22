//! Tells people: Kubernetes Events, off the path of reconciling.
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder as Publisher, Reporter},
};
use tokio::sync::mpsc;

use crate::{
    carry_out::{CarryOutError, MANAGER},
    metrics::Metrics,
    plan::{Report, Severity},
    step::Step,
};

/// Reports that wait for the apiserver; more are dropped, and the log says so: statuses hold all that matters.
const QUEUE: usize = 4_096;
/// The apiserver refuses longer notes: bytes.
const NOTE: usize = 1_024;
/// What is done, and to what, as metrics have it.
const PUBLISH: &str = "publish";
const EVENT: &str = "Event";

/// Publishes reports about objects. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    reports: mpsc::Sender<(ObjectReference, Report)>,
    /// Whether the last report was dropped: a flood is one line in the log.
    is_full: Arc<AtomicBool>,
}

impl Recorder {
    /// Starts publishing as the replica `instance`, and counting in `metrics`. Must be called within a Tokio runtime.
    pub fn start(client: Client, instance: &str, metrics: Metrics) -> Self {
        let reporter = Reporter { controller: MANAGER.into(), instance: Some(instance.into()) };
        let publisher = Publisher::new(client, reporter);
        let (reports, mut waiting) = mpsc::channel::<(ObjectReference, Report)>(QUEUE);
        tokio::spawn(async move {
            while let Some((object, report)) = waiting.recv().await {
                let (namespace, event) = (object.namespace.clone().unwrap_or_default(), event(report));
                let result = Step::Report.around(&namespace, publisher.publish(&event, &object)).await;
                let result = result.map_err(|source| failed(object, source));
                metrics.written(PUBLISH, EVENT.into(), result.as_ref().map(drop));
                if let Err(error) = result {
                    tracing::debug!(error = &error as &dyn std::error::Error, "could not publish an Event");
                }
            }
        });
        Self { reports, is_full: Arc::default() }
    }

    /// Tells nobody.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self { reports: mpsc::channel(1).0, is_full: Arc::new(AtomicBool::new(true)) }
    }

    /// Publishes `report` about `object`, some time soon.
    pub fn report(&self, object: ObjectReference, report: Report) {
        let dropped = self.reports.try_send((object, report)).is_err();
        if dropped && !self.is_full.swap(dropped, Ordering::Relaxed) {
            tracing::warn!(waiting = QUEUE, "the apiserver takes Events slower than they come; some are not published");
        }
        self.is_full.store(dropped, Ordering::Relaxed);
    }
}

fn failed(about: ObjectReference, source: kube::Error) -> CarryOutError {
    let name = format!("about {} {}", about.kind.unwrap_or_default(), about.name.unwrap_or_default());
    CarryOutError::Api { action: PUBLISH, kind: EVENT.into(), name, source: Box::new(source) }
}

fn event(report: Report) -> Event {
    let type_ = match report.severity {
        Severity::Normal => EventType::Normal,
        Severity::Warning => EventType::Warning,
    };
    let mut note = report.message;
    note.truncate(note.floor_char_boundary(NOTE));
    Event { type_, reason: report.reason, note: Some(note), action: "Reconcile".into(), secondary: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let report = Report { severity: Severity::Warning, reason: "Because".into(), message: "ä".repeat(900) };
        let event = event(report);
        assert_eq!((event.type_, event.note.map(|note| note.len())), (EventType::Warning, Some(1_024)));
    }
}
