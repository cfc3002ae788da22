//! Tells people: Kubernetes Events, off the path of reconciling.
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder as Publisher, Reporter},
};
use tokio::sync::mpsc;

use crate::{
    carry_out::MANAGER,
    plan::{Report, Severity},
};

/// Reports that wait for the apiserver; more are dropped, and the log says so: statuses hold all that matters.
const QUEUE: usize = 1_024;
/// The apiserver refuses longer notes: bytes.
const NOTE: usize = 1_024;

/// Publishes reports about objects. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(mpsc::Sender<(ObjectReference, Report)>);

impl Recorder {
    /// Starts publishing as the replica `instance`. Must be called within a Tokio runtime.
    pub fn start(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: MANAGER.into(), instance: Some(instance.into()) };
        let publisher = Publisher::new(client, reporter);
        let (sender, mut reports) = mpsc::channel::<(ObjectReference, Report)>(QUEUE);
        tokio::spawn(async move {
            while let Some((object, report)) = reports.recv().await {
                if let Err(error) = publisher.publish(&event(report), &object).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "could not publish an Event");
                }
            }
        });
        Self(sender)
    }

    /// Publishes `report` about `object`, some time soon.
    pub fn report(&self, object: ObjectReference, report: Report) {
        if let Err(error) = self.0.try_send((object, report)) {
            tracing::warn!(%error, "an Event is not published");
        }
    }
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
