use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use komputer_events::{Body, Cursor, Event, office::OfficeRequest};

use super::Fold;

/// More than an agent has open at a time; what one that is not ours says beyond it is not heard.
const OPEN: usize = 64;

/// What a manager has asked of its office and has no answer to, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenRequests(BTreeMap<Cursor, Asked>);

/// What a manager has asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Joins it to its answer.
    pub id: String,
    /// The uid of the task it was asked in.
    pub task: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub request: OfficeRequest,
}

impl OpenRequests {
    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Asked> {
        self.0.values()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only those that were asked in tasks of these uids are open.
    pub fn keep_of(&mut self, tasks: &BTreeSet<String>) {
        self.0.retain(|_, asked| tasks.contains(&asked.task));
    }

    /// These are open no more.
    pub fn close(&mut self, ids: &BTreeSet<String>) {
        self.0.retain(|_, asked| !ids.contains(&asked.id));
    }
}

impl Fold for OpenRequests {
    fn fold(&mut self, event: &Event) {
        match (&event.body, &event.task) {
            (Body::OfficeRequest { id, request }, Some(task)) if self.0.len() < OPEN => {
                let (id, task, request) = (id.clone(), task.clone(), request.clone());
                self.0.insert(event.id, Asked { id, task, at: event.timestamp, request });
            }
            (Body::OfficeAnswer { id, .. }, _) => self.0.retain(|_, asked| asked.id != *id),
            (body, Some(task)) if body.is_terminal() => self.0.retain(|_, asked| asked.task != *task),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use komputer_events::{AgentId, office::Nothing};

    use super::*;

    fn event(number: u64, task: Option<&str>, body: Body) -> Event {
        Event {
            id: Cursor::at(number),
            seq: number,
            agent: AgentId::new("team", "boss").unwrap(),
            timestamp: Timestamp::UNIX_EPOCH,
            task: task.map(Into::into),
            body,
        }
    }

    fn asks(id: &str) -> Body {
        Body::OfficeRequest { id: id.into(), request: OfficeRequest::ListAgents(Nothing {}) }
    }

    fn open(requests: &OpenRequests) -> Vec<&str> {
        requests.iter().map(|asked| &*asked.id).collect()
    }

    #[test]
    fn a_request_is_open_until_it_is_answered_or_its_task_ends() {
        let mut requests = OpenRequests::default();
        for (number, (task, id)) in [("t1", "a"), ("t1", "b"), ("t2", "c")].into_iter().enumerate() {
            requests.fold(&event(number as u64 + 1, Some(task), asks(id)));
        }
        assert_eq!(open(&requests), ["a", "b", "c"]);
        let mut of_one = requests.clone();
        of_one.keep_of(&["t2".to_owned()].into());
        assert_eq!(open(&of_one), ["c"], "of tasks that are not over");
        of_one.close(&["c".to_owned()].into());
        assert!(of_one.is_empty());
        // An answer that nobody waited for says of no task.
        requests.fold(&event(4, None, Body::OfficeAnswer { id: "a".into(), is_error: false }));
        assert_eq!(open(&requests), ["b", "c"]);
        requests.fold(&event(5, Some("t1"), Body::TaskCancelled { reason: "r".into() }));
        assert_eq!(open(&requests), ["c"]);
        assert_eq!(requests.iter().next().map(|asked| &*asked.task), Some("t2"));
    }

    #[test]
    fn whoever_asks_too_much_is_not_heard() {
        let mut requests = OpenRequests::default();
        (1..=100).for_each(|number| requests.fold(&event(number, Some("t"), asks(&number.to_string()))));
        assert_eq!(open(&requests).len(), OPEN);
    }
}
