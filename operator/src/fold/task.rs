use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerTask, StatusConditions, TaskPhase, Tokens};
use komputer_events::{Body, Cursor, Event, Money, limits};

use super::{Fold, UID, add, message, session};

/// What the events of one task come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskSummary {
    /// The last event taken into account.
    pub cursor: Cursor,
    /// Where the task stands.
    pub phase: TaskPhase,
    /// When the agent began, to the second.
    pub started: Option<Timestamp>,
    /// When it ended, to the second.
    pub ended: Option<Timestamp>,
    /// The last words of a task that ended well.
    pub result: Option<String>,
    /// What the agent said last.
    pub message: Option<String>,
    /// Why a task failed: a closed set, in PascalCase.
    pub reason: Option<String>,
    /// What it has cost.
    pub cost: Money,
    /// Tokens it has used.
    pub tokens: Tokens,
    /// Calls to the model.
    pub turns: i64,
    /// Claude's session.
    pub session_id: Option<String>,
    /// The uid of the task that read it while that ran.
    pub steered: Option<String>,
}

impl From<&KomputerTask> for TaskSummary {
    /// Goes on where the task's status stands. What cannot be read counts as never written: replaying heals it.
    fn from(task: &KomputerTask) -> Self {
        let Some(status) = task.status.clone() else { return Self::default() };
        let Some(cursor) = status.cursor.as_deref().and_then(|cursor| cursor.parse().ok()) else {
            return Self { phase: status.phase.unwrap_or_default(), ..Self::default() };
        };
        let ready = status.conditions().iter().find(|condition| condition.type_ == "Ready");
        let reason = ready.filter(|ready| ready.status == "False").map(|ready| ready.reason.clone());
        Self {
            cursor,
            phase: status.phase.unwrap_or_default(),
            started: status.start_time.map(|time| time.0),
            ended: status.completion_time.map(|time| time.0),
            result: status.result,
            message: status.message,
            reason,
            cost: status.cost_usd.and_then(|cost| cost.parse().ok()).unwrap_or_default(),
            tokens: status.tokens.unwrap_or_default(),
            turns: status.turns.unwrap_or_default(),
            session_id: status.session_id,
            steered: status.steered_task_uid,
        }
    }
}

impl TaskSummary {
    /// What is known of a task: what its status says, or the events that have arrived since. An end that was said is final:
    /// what is heard later of a task that was cancelled before anybody had heard of its beginning changes nothing.
    pub fn newer(task: &KomputerTask, arrived: Option<Self>) -> Self {
        let kept = Self::from(task);
        arrived.filter(|arrived| !kept.phase.is_terminal() && arrived.cursor >= kept.cursor).unwrap_or(kept)
    }
}

impl Fold for TaskSummary {
    fn fold(&mut self, event: &Event) {
        if event.id <= self.cursor {
            return;
        }
        self.cursor = event.id;
        match &event.body {
            Body::TaskStarted { .. } => {
                self.phase = TaskPhase::Running;
                self.started.get_or_insert_with(|| seconds(event.timestamp));
            }
            Body::UserMessage { into, .. } => {
                self.phase = TaskPhase::Running;
                self.started.get_or_insert_with(|| seconds(event.timestamp));
                self.steered = into.as_ref().map(|uid| uid.chars().take(UID).collect());
            }
            Body::Text { content } => self.message = Some(message(content)),
            Body::ToolCall { tool, .. } => self.message = Some(message(&format!("Calling {tool}"))),
            Body::Usage { usage, cost_usd, .. } => {
                self.cost = self.cost + *cost_usd;
                self.turns += i64::from(usage.output_tokens > 0);
                add(&mut self.tokens, usage);
            }
            Body::TaskRetry { error, .. } => {
                self.message = Some(message(&format!("Failed, and is tried again: {error}")));
            }
            Body::TaskCompleted(outcome) => {
                self.end(event, TaskPhase::Succeeded, &outcome.result, None);
                self.result = Some(limits::cut(&outcome.result, limits::TEXT));
                self.session_id = session(&outcome.session_id);
            }
            Body::TaskCancelled { reason } => self.end(event, TaskPhase::Cancelled, reason, Some("Cancelled")),
            Body::Error { error, reason } => self.end(event, TaskPhase::Failed, error, Some(reason)),
            _ => {}
        }
    }
}

impl TaskSummary {
    fn end(&mut self, event: &Event, phase: TaskPhase, last_words: &str, reason: Option<&str>) {
        self.phase = phase;
        self.ended = Some(seconds(event.timestamp));
        self.message = Some(message(last_words));
        self.reason = reason.map(str::to_owned);
    }
}

/// Kubernetes' times are whole seconds.
fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
