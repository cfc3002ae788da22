//! Which requests can be judged by one look: what one of them changes, those after it are to see.
use std::collections::BTreeSet;

use komputer_events::office::OfficeRequest;

/// The names of what is being changed.
#[derive(Debug, Default)]
pub(super) struct Changing<'r>(BTreeSet<&'r str>);

impl<'r> Changing<'r> {
    /// The request changes something.
    pub(super) fn add(&mut self, request: &'r OfficeRequest) {
        self.0.extend(subjects(request).into_iter().flatten());
    }

    /// Whether the request is about some of it.
    pub(super) fn concerns(&self, request: &OfficeRequest) -> bool {
        subjects(request).map_or(!self.0.is_empty(), |subjects| subjects.iter().any(|name| self.0.contains(name)))
    }
}

/// The names of what a request is about; nothing where it may be anything.
fn subjects(request: &OfficeRequest) -> Option<Vec<&str>> {
    match request {
        OfficeRequest::CreateAgent(asked) => Some(vec![&asked.name]),
        OfficeRequest::AskAgent(asked) => Some(vec![&asked.name]),
        OfficeRequest::CreateSchedule(asked) => Some(vec![&asked.name, &asked.agent]),
        OfficeRequest::DeleteAgent(asked) | OfficeRequest::DeleteSchedule(asked) | OfficeRequest::CancelTask(asked) => {
            Some(vec![&asked.name])
        }
        OfficeRequest::ListAgents(_)
        | OfficeRequest::ListSchedules(_)
        | OfficeRequest::WaitForTasks(_)
        | OfficeRequest::ReadResults(_) => None,
    }
}
