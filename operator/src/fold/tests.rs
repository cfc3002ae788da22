//! Folding is the same however the events arrive.
use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerTask, KomputerTaskSpec, KomputerTaskStatus, TaskPhase};
use komputer_events::{AgentId, Body, Cursor, Event, Money, Outcome, TokenUsage};
use proptest::prelude::*;

use super::*;

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        "[a-z ]{0,20}".prop_map(|content| Body::Text { content }),
        Just(Body::ToolCall { id: "t".into(), tool: "Bash".into(), input: serde_json::Value::Null }),
        (0..1000_u64, 0..1_000_000_u64).prop_map(|(tokens, nano)| Body::Usage {
            model: "m".into(),
            usage: TokenUsage { output_tokens: tokens, ..TokenUsage::default() },
            cost_usd: Money::from_nano(nano),
        }),
        Just(Body::TaskStarted { instructions: "x".into(), resuming_session: false, model: "m".into() }),
        Just(Body::TaskCompleted(Outcome { result: "done".into(), ..Outcome::default() })),
        Just(Body::Error { error: "no".into(), reason: "ApiError".into() }),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((body(), 0..3_u8), 1..60).prop_map(|bodies| {
        let mut id = Cursor::START;
        bodies
            .into_iter()
            .enumerate()
            .map(|(index, (body, task))| {
                id = id.next(1000 + index as u64 / 3);
                Event {
                    id,
                    seq: index as u64 + 1,
                    agent: AgentId::new("n", "a").unwrap(),
                    timestamp: Timestamp::from_millisecond(1000 + i64::try_from(index).unwrap()).unwrap(),
                    task: Some(format!("task-{task}")),
                    body,
                }
            })
            .collect()
    })
}

fn folded<F: Fold + Default>(events: &[Event]) -> F {
    let mut fold = F::default();
    events.iter().for_each(|event| fold.fold(event));
    fold
}

proptest! {
    #[test]
    fn replays_and_repetitions_change_nothing(events in events(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(events.len());
        let once: AgentSummary = folded(&events);
        // A crash after `cut`: everything up to there is read again, then everything from the beginning.
        let again: Vec<Event> = events[..cut].iter().chain(&events[cut / 2..]).chain(&events).cloned().collect();
        prop_assert_eq!(&folded::<AgentSummary>(&again), &once);
        let total: Money = events
            .iter()
            .filter_map(|event| if let Body::Usage { cost_usd, .. } = event.body { Some(cost_usd) } else { None })
            .sum();
        prop_assert_eq!(once.cost, total);
    }
}

#[test]
fn a_task_is_what_its_events_say() {
    let mut id = Cursor::START;
    let mut event = |body| {
        id = id.next(5_000);
        Event {
            id,
            seq: 1,
            agent: AgentId::new("n", "a").unwrap(),
            timestamp: Timestamp::from_millisecond(5_999).unwrap(),
            task: Some("t".into()),
            body,
        }
    };
    let usage = |input_tokens, output_tokens, nano| Body::Usage {
        model: "m".into(),
        usage: TokenUsage { input_tokens, output_tokens, ..TokenUsage::default() },
        cost_usd: Money::from_nano(nano),
    };
    let events = [
        event(Body::TaskStarted { instructions: "x".into(), resuming_session: false, model: "m".into() }),
        event(usage(10, 0, 30_000)),
        event(Body::Text { content: "two\n words ".into() }),
        event(usage(0, 4, 60_000)),
        event(Body::TaskCompleted(Outcome { result: "done".into(), session_id: "s".into(), ..Outcome::default() })),
    ];
    let task: TaskSummary = folded(&events);
    assert_eq!(task.phase, TaskPhase::Succeeded);
    assert_eq!((task.turns, task.tokens.input, task.tokens.output), (1, 10, 4));
    assert_eq!((task.cost.to_string().as_str(), task.result.as_deref()), ("0.00009", Some("done")));
    assert_eq!(task.started.map(Timestamp::as_millisecond), Some(5_000), "whole seconds");
    let running: TaskSummary = folded(&events[..3]);
    assert_eq!((running.phase, running.message.as_deref()), (TaskPhase::Running, Some("two words")));
}

#[test]
fn an_end_that_was_said_is_final() {
    let mut task = KomputerTask::new("t", KomputerTaskSpec::default());
    let running = TaskSummary { cursor: Cursor::at(5), phase: TaskPhase::Running, ..TaskSummary::default() };
    let newer = |task: &KomputerTask| TaskSummary::newer(task, Some(running.clone())).phase;
    assert_eq!(newer(&task), TaskPhase::Running);
    task.status = Some(KomputerTaskStatus { phase: Some(TaskPhase::Cancelled), ..Default::default() });
    assert_eq!(newer(&task), TaskPhase::Cancelled, "it was cancelled before its beginning was heard of");
}

#[test]
fn messages_are_short_and_on_one_line() {
    assert_eq!(message(" a\n b "), "a b");
    assert_eq!(message(&"ä".repeat(300)).chars().count(), MESSAGE);
    assert_eq!(message(&"ä".repeat(256)).chars().count(), MESSAGE);
}

#[test]
fn what_is_read_in_the_middle_of_a_task_is_counted_and_leaves_the_agent_at_its_task() {
    let mut id = Cursor::START;
    let mut event = |task: &str, body| {
        id = id.next(5_000);
        let (agent, timestamp) = (AgentId::new("n", "a").unwrap(), Timestamp::from_millisecond(5_000).unwrap());
        Event { id, seq: 1, agent, timestamp, task: Some(task.into()), body }
    };
    let done = |result: &str| Body::TaskCompleted(Outcome { result: result.into(), ..Outcome::default() });
    let cost_usd = Money::from_nano(7);
    let usage = || Body::Usage { model: "m".into(), usage: TokenUsage::default(), cost_usd };
    let read = Body::UserMessage { content: "hurry".into(), steer: true, into: Some("t".into()) };
    let events = [
        event("t", Body::TaskStarted { instructions: "x".into(), resuming_session: false, model: "m".into() }),
        event("t", usage()),
        event("m", read),
        event("n", Body::TaskCancelled { reason: "never read".into() }),
        event("t", usage()),
        event("m", done("as you say")),
        event("t", done("as you say")),
    ];
    let running: AgentSummary = folded(&events[..6]);
    let last = running.last_task.unwrap();
    assert_eq!((last.uid.as_str(), last.phase.as_str(), last.cost), ("t", "Running", cost_usd + cost_usd));
    let ended: AgentSummary = folded(&events);
    assert_eq!((ended.tasks.succeeded, ended.tasks.cancelled, ended.last_task.unwrap().uid.as_str()), (2, 1, "t"));

    let of_message = |events: &[Event]| -> TaskSummary {
        let events: Vec<_> = events.iter().filter(|event| event.task.as_deref() == Some("m")).cloned().collect();
        folded(&events)
    };
    let message = of_message(&events[..6]);
    assert_eq!((message.phase, message.steered.as_deref()), (TaskPhase::Succeeded, Some("t")));
    assert_eq!((message.cost, message.result.as_deref()), (Money::ZERO, Some("as you say")), "its cost is the task's");
    assert_eq!(of_message(&events[..3]).phase, TaskPhase::Running);
}
