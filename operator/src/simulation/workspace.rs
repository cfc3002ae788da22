//! What an agent's volume keeps: its journal, and its tasks with what was said in the middle of them.
use std::collections::BTreeMap;

use jiff::Timestamp;
use komputer_events::{AgentId, Body, Cursor, Event, Money, office::OfficeRequest, task::Allowance};

/// The volume, as its agent's process has it.
pub(super) struct Workspace {
    pub(super) agent: AgentId,
    pub(super) uid: String,
    pub(super) journal: Vec<Event>,
    pub(super) published: usize,
    pub(super) tasks: Vec<Task>,
    pub(super) told: Option<(String, Allowance)>,
    /// Messages that have ended.
    pub(super) read: Vec<String>,
    pub(super) is_manager: bool,
    /// How often the manager has asked its office something.
    pub(super) asked: usize,
    /// What the process waits for an answer to, by the ids: the name of the tool.
    pub(super) open: BTreeMap<String, String>,
    /// Tasks that the manager has given, by their names.
    pub(super) given: Vec<String>,
    /// Agents that it has had made, whether they are there still or not.
    pub(super) members: Vec<String>,
    /// What would undo what it has had made last.
    pub(super) undoing: Option<OfficeRequest>,
}

/// A task that the agent has taken.
#[derive(Clone, Default)]
pub(super) struct Task {
    pub(super) uid: String,
    pub(super) is_cancelled: bool,
    pub(super) has_begun: bool,
    pub(super) has_ended: bool,
    pub(super) cost: Money,
    pub(super) letters: Vec<Letter>,
}

/// A message that was said in the middle of a task and has not ended.
#[derive(Clone, Default)]
pub(super) struct Letter {
    pub(super) uid: String,
    pub(super) is_cancelled: bool,
    pub(super) is_read: bool,
}

impl Workspace {
    pub(super) fn new(agent: &AgentId, uid: &str) -> Self {
        Self {
            agent: agent.clone(),
            uid: uid.into(),
            journal: Vec::new(),
            published: 0,
            tasks: Vec::new(),
            told: None,
            read: Vec::new(),
            is_manager: false,
            asked: 0,
            open: BTreeMap::new(),
            given: Vec::new(),
            members: Vec::new(),
            undoing: None,
        }
    }

    /// The task it is at: the first that has not ended.
    pub(super) fn current(&mut self) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| !task.has_ended)
    }

    /// What was said and not published.
    pub(super) fn unsaid(&self) -> Money {
        self.journal[self.published..].iter().map(cost).sum()
    }

    pub(super) fn take(&mut self, uid: &str) {
        if self.tasks.iter().all(|task| task.uid != uid) {
            self.tasks.push(Task { uid: uid.into(), ..Task::default() });
        }
    }

    /// Takes a message for the task it is at. Answers whether it is.
    pub(super) fn post(&mut self, task: &str, uid: &str) -> bool {
        if self.read.iter().any(|read| read == uid) || self.tasks.iter().any(|task| task.uid == uid) {
            return true;
        }
        let Some(current) = self.current().filter(|current| current.uid == task) else { return false };
        if current.letters.iter().all(|letter| letter.uid != uid) {
            current.letters.push(Letter { uid: uid.into(), ..Letter::default() });
        }
        true
    }

    /// Notes that a task or a message is not wanted any more. Answers whether there is one.
    pub(super) fn cancel(&mut self, uid: &str) -> bool {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.uid == uid) {
            task.is_cancelled = true;
            return true;
        }
        let letters = self.current().map(|task| &mut task.letters);
        let letter = letters.into_iter().flatten().find(|letter| letter.uid == uid);
        letter.map(|letter| letter.is_cancelled = true).is_some()
    }

    pub(super) fn say(&mut self, task: Option<&str>, now: Timestamp, body: Body) {
        let last = self.journal.last().map_or(Cursor::START, |event| event.id);
        let id = last.next(u64::try_from(now.as_millisecond()).unwrap());
        let seq = self.journal.len() as u64 + 1;
        let (agent, task) = (self.agent.clone(), task.map(str::to_owned));
        self.journal.push(Event { id, seq, agent, timestamp: now, task, body });
    }
}

/// What an event says that something cost.
fn cost(event: &Event) -> Money {
    if let Body::Usage { cost_usd, .. } = &event.body { *cost_usd } else { Money::ZERO }
}
