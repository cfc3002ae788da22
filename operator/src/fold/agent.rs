use komputer_crds::v1beta1::{KomputerAgent, TaskCounts, Tokens};
use komputer_events::{Body, Cursor, Event, Money};

use super::{Fold, UID, add, message, session};
use crate::budget::{Meter, Shares};

/// What the events of one agent come to, over all its tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentSummary {
    /// The last event taken into account.
    pub cursor: Cursor,
    /// What all tasks have cost.
    pub cost: Money,
    /// Tokens of all tasks.
    pub tokens: Tokens,
    /// How tasks ended.
    pub tasks: TaskCounts,
    /// The task it works on or worked on last.
    pub last_task: Option<LastTaskSummary>,
    /// Claude's session.
    pub session_id: Option<String>,
    /// What tasks have cost in the periods of budgets.
    pub shares: Shares,
}

/// The task an agent works on or worked on last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastTaskSummary {
    /// Its uid.
    pub uid: String,
    /// `Running`, `Succeeded`, `Failed` or `Cancelled`.
    pub phase: String,
    /// What it said last.
    pub message: Option<String>,
    /// What it has cost.
    pub cost: Money,
}

impl From<&KomputerAgent> for AgentSummary {
    /// Goes on where the agent's status stands.
    fn from(agent: &KomputerAgent) -> Self {
        let Some(status) = agent.status.clone() else { return Self::default() };
        let Some(cursor) = status.cursor.as_deref().and_then(|cursor| cursor.parse().ok()) else {
            return Self::default();
        };
        let money = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or_default();
        let last_task = status.last_task.map(|last| LastTaskSummary {
            uid: last.uid,
            phase: last.phase,
            message: last.message,
            cost: money(Some(last.cost_usd)),
        });
        Self {
            cursor,
            cost: money(status.total_cost_usd),
            tokens: status.tokens.unwrap_or_default(),
            tasks: status.tasks,
            last_task,
            session_id: status.session_id,
            shares: Shares::from(&*status.budgets),
        }
    }
}

impl Fold for AgentSummary {
    fn fold(&mut self, event: &Event) {
        self.fold_metered(event, &[]);
    }
}

impl AgentSummary {
    /// Takes `event` into account, unless that has been done before, and counts what it cost for those budgets.
    pub fn fold_metered(&mut self, event: &Event, meters: &[Meter]) {
        if event.id <= self.cursor {
            return;
        }
        self.cursor = event.id;
        if let Body::Usage { usage, cost_usd, .. } = &event.body {
            self.cost = self.cost + *cost_usd;
            self.shares.add(meters, event.timestamp, *cost_usd);
            add(&mut self.tokens, usage);
        }
        let Some(uid) = &event.task else { return };
        if self.is_aside(uid, &event.body) {
            return self.count(&event.body);
        }
        let last = match &mut self.last_task {
            Some(last) if last.uid == *uid => last,
            other => other.insert(LastTaskSummary {
                uid: uid.chars().take(UID).collect(),
                phase: "Running".into(),
                ..LastTaskSummary::default()
            }),
        };
        match &event.body {
            Body::TaskStarted { .. } => last.phase = "Running".into(),
            Body::Text { content } => last.message = Some(message(content)),
            Body::ToolCall { tool, .. } => last.message = Some(message(&format!("Calling {tool}"))),
            Body::Usage { cost_usd, .. } => last.cost = last.cost + *cost_usd,
            Body::TaskCompleted(outcome) => {
                last.end("Succeeded", &outcome.result);
                self.session_id = session(&outcome.session_id);
            }
            Body::TaskCancelled { reason } => last.end("Cancelled", reason),
            Body::Error { error, .. } => last.end("Failed", error),
            _ => {}
        }
        self.count(&event.body);
    }

    /// Whether the event is of a task that the agent does not work on: one that is read in the middle of the running one, or
    /// ends before it has begun.
    fn is_aside(&self, uid: &str, body: &Body) -> bool {
        let runs = self.last_task.as_ref().is_some_and(|last| last.phase == "Running" && last.uid != uid);
        runs && (matches!(body, Body::UserMessage { .. }) || body.is_terminal())
    }

    fn count(&mut self, body: &Body) {
        match body {
            Body::TaskCompleted(_) => self.tasks.succeeded += 1,
            Body::TaskCancelled { .. } => self.tasks.cancelled += 1,
            Body::Error { .. } => self.tasks.failed += 1,
            _ => {}
        }
    }
}

impl LastTaskSummary {
    fn end(&mut self, phase: &str, last_words: &str) {
        phase.clone_into(&mut self.phase);
        self.message = Some(message(last_words));
    }
}
