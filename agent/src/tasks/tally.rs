//! What a task has used up, folded from its events and from nothing else.
use jiff::{SignedDuration, Timestamp};
use komputer_events::{Body, Event, FailureReason, Money, task::TaskRequest};
use serde::{Deserialize, Serialize};

/// The state of a task as its events tell it. Folding an event twice changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Tally {
    /// The `seq` of the last event folded in, of whatever task.
    pub(crate) seq: u64,
    /// When the task began; a message, when it was read.
    pub(crate) started: Option<Timestamp>,
    /// What its calls to the model cost.
    pub(crate) cost: Money,
    /// Its calls to the model.
    pub(crate) turns: u64,
    /// How often it was tried again after it had failed.
    pub(crate) retries: u32,
    /// Whether it has ended.
    pub(crate) ended: bool,
}

impl Tally {
    /// Takes an event of this task into account.
    pub(crate) fn fold(&mut self, event: &Event) {
        if event.seq <= self.seq {
            return;
        }
        self.seq = event.seq;
        match &event.body {
            Body::TaskStarted { .. } | Body::UserMessage { .. } => {
                self.started = self.started.or(Some(event.timestamp));
            }
            Body::Usage { usage, cost_usd, .. } => {
                self.cost = self.cost + *cost_usd;
                // A call is charged in two parts; the first is what it read.
                let read = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
                self.turns += u64::from(read > 0 && usage.output_tokens == 0);
            }
            Body::TaskRetry { .. } => self.retries = self.retries.saturating_add(1),
            body => self.ended |= body.is_terminal(),
        }
    }

    /// When the task has to have ended, where it has begun and may not take for ever.
    pub(crate) fn deadline(&self, request: &TaskRequest) -> Option<Timestamp> {
        let length = SignedDuration::from_millis(i64::try_from(request.deadline_ms?).ok()?);
        self.started?.checked_add(length).ok()
    }

    /// Why the task may not call the model again.
    pub(crate) fn exhausted(&self, request: &TaskRequest) -> Option<(FailureReason, String)> {
        if let Some(limit) = request.max_cost_usd.filter(|limit| self.cost >= *limit) {
            let words = format!("the task has cost {} USD and may cost {limit} USD", self.cost);
            return Some((FailureReason::BudgetExceeded, words));
        }
        let limit = request.max_turns.filter(|limit| self.turns >= u64::from(*limit))?;
        Some((
            FailureReason::MaxTurns,
            format!("the task has called the model {} times and may do so {limit} times", self.turns),
        ))
    }
}

#[cfg(test)]
mod tests {
    use komputer_events::{AgentId, Cursor, TokenUsage};

    use super::*;

    fn event(seq: u64, body: Body) -> Event {
        let agent = AgentId::new("team-a", "ada").unwrap();
        Event { id: Cursor::START.next(seq), seq, agent, timestamp: Timestamp::UNIX_EPOCH, task: None, body }
    }

    fn usage(input_tokens: u64, output_tokens: u64) -> Body {
        let usage = TokenUsage { input_tokens, output_tokens, ..TokenUsage::default() };
        Body::Usage { model: "m".into(), usage, cost_usd: Money::from_nano(input_tokens + output_tokens) }
    }

    fn request(max_cost_usd: Option<Money>, max_turns: Option<u32>) -> TaskRequest {
        let text = String::from;
        let (name, instructions, model) = (text("t"), text("do"), text("m"));
        TaskRequest {
            name,
            instructions,
            model,
            system_prompt: None,
            max_cost_usd,
            max_turns,
            deadline_ms: None,
            retries: 0,
            compact: false,
        }
    }

    #[test]
    fn a_call_is_one_turn_and_its_parts_add_up() {
        let mut tally = Tally::default();
        for (seq, body) in [usage(100, 0), usage(0, 7), usage(50, 0)].into_iter().enumerate() {
            tally.fold(&event(seq as u64 + 1, body));
        }
        assert_eq!((tally.turns, tally.cost), (2, Money::from_nano(157)));
    }

    #[test]
    fn an_event_counts_once() {
        let mut tally = Tally::default();
        let events = [event(1, usage(100, 0)), event(2, usage(0, 7))];
        events.iter().chain(&events).for_each(|event| tally.fold(event));
        assert_eq!((tally.turns, tally.cost), (1, Money::from_nano(107)));
    }

    #[test]
    fn a_task_begins_once_and_ends() {
        let mut tally = Tally::default();
        let start = || Body::TaskStarted { instructions: "x".into(), resuming_session: false, model: "m".into() };
        tally.fold(&event(1, start()));
        let again = Event { timestamp: Timestamp::MAX, ..event(2, start()) };
        tally.fold(&again);
        assert_eq!(tally.started, Some(Timestamp::UNIX_EPOCH));
        assert!(!tally.ended);
        tally.fold(&event(3, Body::TaskCancelled { reason: "asked".into() }));
        assert!(tally.ended);
    }

    #[test]
    fn a_deadline_counts_from_the_first_beginning() {
        let mut tally = Tally::default();
        let request = TaskRequest { deadline_ms: Some(1_500), ..request(None, None) };
        assert_eq!(tally.deadline(&request), None);
        tally.started = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(tally.deadline(&request), Some(Timestamp::from_millisecond(1_500).unwrap()));
        assert_eq!(tally.deadline(&TaskRequest { deadline_ms: Some(u64::MAX), ..request }), None);
    }

    #[test]
    fn limits_are_reached_not_passed() {
        let tally = Tally { cost: Money::from_nano(10), turns: 3, ..Tally::default() };
        let reason = |request: TaskRequest| tally.exhausted(&request).map(|(reason, _)| reason);
        assert_eq!(reason(request(None, None)), None);
        assert_eq!(reason(request(Some(Money::from_nano(11)), Some(4))), None);
        assert_eq!(reason(request(Some(Money::from_nano(10)), Some(4))), Some(FailureReason::BudgetExceeded));
        assert_eq!(reason(request(None, Some(3))), Some(FailureReason::MaxTurns));
    }
}
