//! Tasks, from the request to their last event.
use std::time::Duration;

use komputer_events::{Body, Event, Money, Outcome};
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{Agent, Surroundings, task};

pub fn of_task<'a>(events: &'a [Event], uid: &str) -> Vec<&'a Body> {
    events.iter().filter(|event| event.task.as_deref() == Some(uid)).map(|event| &event.body).collect()
}

/// Waits for the event that ends a task, and checks what holds for every stream.
pub async fn ended(surroundings: &mut Surroundings, uid: &str) -> Vec<Event> {
    let what = format!("task {uid} to end");
    let events = surroundings
        .until(&what, async |surroundings| {
            let events = surroundings.redis.events().await;
            of_task(&events, uid).iter().any(|body| body.is_terminal()).then_some(events)
        })
        .await;
    check_stream(&events);
    events
}

pub fn check_stream(events: &[Event]) {
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>(), "events are counted from 1 without a gap");
    assert!(events.windows(2).all(|pair| pair[0].id < pair[1].id), "ids grow");
    let tasks: std::collections::BTreeSet<_> = events.iter().filter_map(|event| event.task.as_deref()).collect();
    for uid in tasks {
        let bodies = of_task(events, uid);
        let ends: Vec<_> = bodies.iter().enumerate().filter(|(_, body)| body.is_terminal()).collect();
        assert!(ends.len() <= 1, "task {uid} ended more than once: {ends:?}");
        assert!(
            ends.iter().all(|(index, _)| index + 1 == bodies.len()),
            "task {uid} went on after its end: {bodies:#?}"
        );
    }
}

pub fn cost(events: &[Event]) -> (Money, u64) {
    let (mut cost, mut calls) = (Money::ZERO, 0);
    for event in events {
        if let Body::Usage { usage, cost_usd, .. } = &event.body {
            cost = cost + *cost_usd;
            calls += u64::from(usage.output_tokens == 0);
        }
    }
    (cost, calls)
}

pub fn outcome<'a>(events: &'a [Event], uid: &str) -> &'a Outcome {
    match of_task(events, uid).last() {
        Some(Body::TaskCompleted(outcome)) => outcome,
        other => panic!("task {uid} did not complete: {other:?}"),
    }
}

pub fn failure<'a>(events: &'a [Event], uid: &str) -> (&'a str, &'a str) {
    match of_task(events, uid).last() {
        Some(Body::Error { error, reason }) => (reason, error),
        other => panic!("task {uid} did not fail: {other:?}"),
    }
}

pub fn tool_outputs<'a>(events: &'a [Event], uid: &str) -> Vec<&'a str> {
    let outputs = of_task(events, uid).into_iter().filter_map(|body| match body {
        Body::ToolResult { output, .. } => Some(output.as_str()),
        _ => None,
    });
    outputs.collect()
}

async fn one_task(script: &str) -> Option<(Surroundings, Agent, Vec<Event>)> {
    let mut surroundings = Surroundings::prepare().await?;
    let agent = surroundings.start_agent().await;
    agent.ask("t1", script).await;
    let events = ended(&mut surroundings, "t1").await;
    Some((surroundings, agent, events))
}

#[tokio::test]
async fn a_task_is_told_from_its_beginning_to_its_end() {
    let script = "<<think: let me see>><<bash: echo hi>>&<<bash: exit 3>><<text: all done>>";
    let Some((surroundings, _agent, events)) = one_task(script).await else { return };
    let bodies = of_task(&events, "t1");
    assert!(matches!(&events[0].body, Body::Lifecycle { state } if state == "ready"));
    let Body::TaskStarted { instructions, resuming_session: false, model } = bodies[0] else { panic!("{bodies:?}") };
    assert_eq!((instructions.as_str(), model.as_str()), (script, "claude-sonnet-4-6"));
    assert!(bodies.contains(&&Body::Thinking { content: "let me see".into() }));
    let results: Vec<_> = bodies
        .iter()
        .filter_map(|body| match body {
            Body::ToolResult { tool, output, is_error, .. } => Some((tool.as_str(), output.as_str(), *is_error)),
            _ => None,
        })
        .collect();
    assert_eq!(results, [("Bash", "hi", false), ("Bash", "Exit code 3", true)]);
    assert!(bodies.contains(&&Body::Text { content: "all done".into() }));
    let deltas: String = bodies
        .iter()
        .filter_map(|body| if let Body::TextDelta { content } = body { Some(content.as_str()) } else { None })
        .collect();
    assert_eq!(deltas, "all done");
    let outcome = outcome(&events, "t1");
    assert_eq!((outcome.result.as_str(), outcome.turns, outcome.stop_reason.as_str()), ("all done", 2, "end_turn"));
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn the_second_task_goes_on_in_the_same_conversation() {
    let Some((mut surroundings, agent, _)) = one_task("<<bash: echo first>><<text: one>>").await else { return };
    agent.ask("t1", "<<bash: echo first>><<text: one>>").await;
    agent.ask("t2", "<<bash: echo second>><<text: two>>").await;
    let events = ended(&mut surroundings, "t2").await;
    assert_eq!(outcome(&events, "t2").result, "two");
    assert_eq!(outcome(&events, "t1").session_id, outcome(&events, "t2").session_id);
    assert!(matches!(of_task(&events, "t2")[0], Body::TaskStarted { resuming_session: true, .. }));
    assert_eq!(tool_outputs(&events, "t1"), ["first"]);
    assert_eq!(outcome(&events, "t2").turns, 2);
    assert_eq!(cost(&events), surroundings.model.billed().await);
    assert_eq!(agent.status().await.running, None);
}

#[tokio::test]
async fn background_work_belongs_to_the_task() {
    let wait =
        r#"<<tool: Bash {"command": "timeout 3 tail -f /dev/null; echo late > late", "run_in_background": true}>>"#;
    let Some((surroundings, _agent, events)) = one_task(&format!("{wait}<<text: started>><<text: done>>")).await else {
        return;
    };
    assert_eq!(outcome(&events, "t1").result, "done");
    assert_eq!(std::fs::read_to_string(surroundings.workspace().join("late")).unwrap(), "late\n");
}

#[tokio::test]
async fn nothing_a_task_started_outlives_it() {
    let script = "<<bash: (setsid sleep 4711 >/dev/null 2>&1 &) ; echo started>><<text: done>>";
    let Some((_surroundings, agent, _)) = one_task(script).await else { return };
    assert_eq!(agent.children(), []);
}

#[tokio::test]
async fn a_cancelled_task_ends_and_the_next_one_runs() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.ask("t1", "<<bash: timeout 100 tail -f /dev/null>><<text: never>>").await;
    agent.ask("t2", "<<text: never either>>").await;
    agent.ask("t3", "<<text: after>>").await;
    surroundings
        .until("the tool to run", async |surroundings| {
            let events = surroundings.redis.events().await;
            of_task(&events, "t1").iter().any(|body| matches!(body, Body::ToolCall { .. })).then_some(())
        })
        .await;
    assert_eq!(agent.cancel("t2").await, StatusCode::ACCEPTED);
    assert_eq!(agent.cancel("t1").await, StatusCode::ACCEPTED);
    assert_eq!(agent.cancel("nobody").await, StatusCode::NOT_FOUND);
    let events = ended(&mut surroundings, "t3").await;
    for uid in ["t1", "t2"] {
        assert!(matches!(of_task(&events, uid).last(), Some(Body::TaskCancelled { .. })), "{uid}");
        assert_eq!(agent.cancel(uid).await, StatusCode::ACCEPTED);
    }
    assert_eq!(outcome(&events, "t3").result, "after");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn a_wrong_key_fails_the_task_at_once_and_not_the_agent() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent_with(&[("ANTHROPIC_API_KEY", "wrong")]).await;
    agent.ask("t1", "anything").await;
    let events = ended(&mut surroundings, "t1").await;
    let (reason, words) = failure(&events, "t1");
    assert_eq!(reason, "AuthenticationFailed");
    assert!(words.contains("Invalid API key"), "{words}");
    assert_eq!(cost(&events), (Money::ZERO, 0));
    let retries = of_task(&events, "t1").iter().filter(|body| matches!(body, Body::ApiRetry { .. })).count();
    assert_eq!(retries, 0);
    drop(agent);
    let agent = surroundings.start_agent().await;
    agent.ask("t2", "<<text: now it works>>").await;
    assert_eq!(outcome(&ended(&mut surroundings, "t2").await, "t2").result, "now it works");
}

#[tokio::test]
async fn a_missing_key_says_which_secret_is_missing() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent_with(&[("ANTHROPIC_API_KEY", "")]).await;
    agent.ask("t1", "<<text: never>>").await;
    let events = ended(&mut surroundings, "t1").await;
    let (reason, words) = failure(&events, "t1");
    assert_eq!(reason, "AuthenticationFailed");
    assert!(words.contains("ANTHROPIC_API_KEY"), "{words}");
}

#[tokio::test]
async fn the_model_may_stumble() {
    let script = "<<err: 529 overloaded_error*2>><<text: one>>";
    let Some((surroundings, _agent, events)) = one_task(script).await else { return };
    assert_eq!(outcome(&events, "t1").result, "one");
    let retries =
        of_task(&events, "t1").iter().filter(|body| matches!(body, Body::ApiRetry { status: Some(529), .. })).count();
    assert_eq!(retries, 2);
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn a_call_that_breaks_off_is_charged_for_what_was_named() {
    let Some((surroundings, _agent, events)) = one_task("<<drop: 1>><<text: one two three four>>").await else {
        return;
    };
    assert_eq!(outcome(&events, "t1").result, "one two three four");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn an_error_of_the_api_is_an_error_of_the_task() {
    let Some((_surroundings, _agent, events)) = one_task("<<err: 400 invalid_request_error*9>><<text: never>>").await
    else {
        return;
    };
    let (reason, words) = failure(&events, "t1");
    assert_eq!(reason, "ApiError");
    assert!(words.contains("400"), "{words}");
}

#[tokio::test]
async fn a_task_that_fails_for_what_may_pass_is_tried_again() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    let mut passes = task("<<err: 400 invalid_request_error*3>><<text: at last>>");
    let mut stays = task("<<err: 400 invalid_request_error*9>><<text: never>>");
    for task in [&mut passes, &mut stays] {
        task["retries"] = json!(1);
    }
    let mut spent = task("<<bash: echo 1>><<text: never>>");
    spent.as_object_mut().unwrap().extend([("retries".into(), json!(3)), ("maxTurns".into(), json!(1))]);
    for (uid, task) in [("passes", passes), ("spent", spent), ("stays", stays)] {
        assert_eq!(agent.put(uid, task).await.0, StatusCode::ACCEPTED);
    }
    let events = ended(&mut surroundings, "stays").await;
    let retries = |uid: &str| {
        let of_task = of_task(&events, uid);
        of_task.iter().filter(|body| matches!(body, Body::TaskRetry { reason, .. } if reason == "ApiError")).count()
    };
    for event in &events {
        eprintln!("{} {:?} {:?}", event.timestamp, event.task, event.body);
    }
    assert_eq!((outcome(&events, "passes").result.as_str(), retries("passes")), ("at last", 1));
    assert_eq!((failure(&events, "stays").0, retries("stays")), ("ApiError", 1));
    assert_eq!((failure(&events, "spent").0, retries("spent")), ("MaxTurns", 0));
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn a_task_ends_when_its_budget_or_its_turns_are_used_up() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    let script = "<<bash: echo 1>><<bash: echo 2>><<bash: echo 3>><<text: never>>";
    let limits = [("budget", json!({"maxCostUsd": "0.000001"})), ("turns", json!({"maxTurns": 2}))];
    for (uid, limit) in &limits {
        let mut task = task(script);
        task.as_object_mut().unwrap().extend(limit.as_object().unwrap().clone());
        assert_eq!(agent.put(uid, task).await.0, StatusCode::ACCEPTED);
    }
    agent.ask("after", "<<text: fine>>").await;
    let events = ended(&mut surroundings, "after").await;
    assert_eq!(failure(&events, "budget").0, "BudgetExceeded");
    assert_eq!(tool_outputs(&events, "budget"), ["1"]);
    assert_eq!(failure(&events, "turns").0, "MaxTurns");
    assert_eq!(tool_outputs(&events, "turns"), ["1", "2"]);
    assert_eq!(outcome(&events, "after").result, "fine");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn a_task_ends_when_its_time_is_over_also_over_a_restart() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    let late = |milliseconds: u64| {
        let mut task = task("<<bash: timeout 100 tail -f /dev/null>><<text: never>>");
        task["deadlineMs"] = json!(milliseconds);
        task
    };
    assert_eq!(agent.put("late", late(3_000)).await.0, StatusCode::ACCEPTED);
    agent.ask("after", "<<text: fine>>").await;
    let events = ended(&mut surroundings, "after").await;
    let (reason, words) = failure(&events, "late");
    assert_eq!((reason, words), ("DeadlineExceeded", "the task had to end within 3s and has not"));
    let at = |wanted: &dyn Fn(&Body) -> bool| {
        let mut of_task = events.iter().filter(|event| event.task.as_deref() == Some("late"));
        of_task.find(|event| wanted(&event.body)).unwrap().timestamp
    };
    let began = at(&|body| matches!(body, Body::TaskStarted { .. }));
    let took = began.duration_until(at(&|body| body.is_terminal())).unsigned_abs();
    assert!(took >= Duration::from_secs(3), "{took:?}");
    assert_eq!(outcome(&events, "after").result, "fine");

    assert_eq!(agent.put("over", late(4_000)).await.0, StatusCode::ACCEPTED);
    surroundings
        .until("the tool to run", async |surroundings| {
            let events = surroundings.redis.events().await;
            of_task(&events, "over").iter().any(|body| matches!(body, Body::ToolCall { .. })).then_some(())
        })
        .await;
    agent.kill();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let _agent = surroundings.start_agent().await;
    let events = ended(&mut surroundings, "over").await;
    assert_eq!(failure(&events, "over").0, "DeadlineExceeded");
    let begun = of_task(&events, "over").iter().filter(|body| matches!(body, Body::TaskStarted { .. })).count();
    assert_eq!(begun, 1, "it is not begun again");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn long_answers_come_in_pieces_as_they_are_written() {
    let words: Vec<String> = (0..40).map(|number| format!("word-{number}")).collect();
    let script = format!("<<slow: 2 {}>>", words.join(" "));
    let Some((_surroundings, _agent, events)) = one_task(&script).await else { return };
    let deltas: Vec<_> = events.iter().filter(|event| matches!(event.body, Body::TextDelta { .. })).collect();
    assert!((3..60).contains(&deltas.len()), "{}", deltas.len());
    let first = deltas[0].timestamp.duration_until(deltas[deltas.len() - 1].timestamp);
    assert!(first.unsigned_abs() > Duration::from_millis(500));
}

#[tokio::test]
async fn a_conversation_that_grows_too_long_is_summarised_and_goes_on() {
    let script = "<<usage: 195000>><<bash: echo one>><<text: done>>";
    let Some((surroundings, _agent, events)) = one_task(script).await else { return };
    let compaction = of_task(&events, "t1").into_iter().find_map(|body| match body {
        Body::Compaction { trigger, tokens_before, tokens_after } => Some((trigger, tokens_before > tokens_after)),
        _ => None,
    });
    assert_eq!(compaction, Some((&"auto".to_owned(), true)));
    assert_eq!(outcome(&events, "t1").result, "done");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn a_full_workspace_fails_the_task_and_not_the_agent() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    if !surroundings.shrink_workspace(24) {
        eprintln!("SKIPPED: only root can mount a small volume");
        return;
    }
    let agent = surroundings.start_agent().await;
    agent
        .ask("t1", "<<bash: head -c 30M /dev/zero > big; echo full>><<times: 150 bash: seq 3000>><<text: never>>")
        .await;
    let events = ended(&mut surroundings, "t1").await;
    let (reason, words) = failure(&events, "t1");
    assert_eq!(reason, "WorkspaceFull", "{words}");
    assert_eq!(agent.status().await.running, None);
}
