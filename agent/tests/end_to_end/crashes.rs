//! Whatever is killed at whatever moment: the task goes on, and ends once.
use std::time::Duration;

use komputer_events::{Body, Event};
use rustix::process::{Signal, kill_process};
use uuid::Uuid;

use crate::{
    harness::Surroundings,
    tasks::{check_stream, cost, ended, of_task, outcome, tool_outputs},
};

/// What Claude Code may not have written down yet: it collects its transcript for a tenth of a second.
const UNWRITTEN: Duration = Duration::from_millis(300);

/// Starts a task, kills the pod once `moment` has come, starts the next one and waits for the task's end.
async fn killed(script: &str, moment: impl Fn(&Surroundings, &[&Body]) -> bool) -> Option<(Surroundings, Vec<Event>)> {
    let mut surroundings = Surroundings::prepare().await?;
    let agent = surroundings.start_agent().await;
    agent.ask("t1", script).await;
    surroundings
        .until("the moment to kill", async |surroundings| {
            let events = surroundings.redis.events().await;
            moment(surroundings, &of_task(&events, "t1")).then_some(())
        })
        .await;
    agent.kill();
    let agent = surroundings.start_agent().await;
    let events = ended(&mut surroundings, "t1").await;
    agent.ask("t1", script).await;
    agent.ask("t2", "<<text: after>>").await;
    let all = ended(&mut surroundings, "t2").await;
    assert_eq!(of_task(&all, "t1"), of_task(&events, "t1"), "a task that has ended stays as it is");
    Some((surroundings, all))
}

fn has(bodies: &[&Body], wanted: impl Fn(&Body) -> bool) -> bool {
    bodies.iter().any(|body| wanted(body))
}

#[tokio::test]
async fn in_a_tool() {
    let script = "<<bash: echo one | tee -a log>>\
        <<bash: touch running; timeout 3 tail -f /dev/null; echo two>><<text: done>>";
    let moment = |surroundings: &Surroundings, _: &[&Body]| {
        let is_running = surroundings.workspace().join("running").exists();
        is_running.then(|| std::thread::sleep(UNWRITTEN)).is_some()
    };
    let Some((surroundings, events)) = killed(script, moment).await else { return };
    assert_eq!(outcome(&events, "t1").result, "done");
    assert_eq!(tool_outputs(&events, "t1"), ["one", "two"]);
    assert_eq!(std::fs::read_to_string(surroundings.workspace().join("log")).unwrap(), "one\n");
    assert!(has(&of_task(&events, "t1"), |body| matches!(body, Body::TaskStarted { resuming_session: true, .. })));
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn in_the_models_answer() {
    let script = "<<bash: echo one>><<slow: 3 a b c d e f g h i j>>";
    let is_delta = |body: &Body| matches!(body, Body::TextDelta { .. });
    let moment =
        |_: &Surroundings, bodies: &[&Body]| has(bodies, is_delta).then(|| std::thread::sleep(UNWRITTEN)).is_some();
    let Some((surroundings, events)) = killed(script, moment).await else { return };
    assert_eq!(outcome(&events, "t1").result, "a b c d e f g h i j");
    assert_eq!(tool_outputs(&events, "t1"), ["one"]);
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn before_the_prompt_was_read() {
    let is_started = |body: &Body| matches!(body, Body::TaskStarted { .. });
    let Some((surroundings, events)) = killed("<<text: done>>", |_, bodies| has(bodies, is_started)).await else {
        return;
    };
    assert_eq!(outcome(&events, "t1").result, "done");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn after_the_last_word() {
    let is_text = |body: &Body| matches!(body, Body::Text { .. });
    let Some((surroundings, events)) =
        killed("<<bash: echo one>><<text: done>>", |_, bodies| has(bodies, is_text)).await
    else {
        return;
    };
    assert_eq!(outcome(&events, "t1").result, "done");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn again_and_again() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let steps: Vec<String> = (1..=6).map(|n| format!("<<bash: timeout 0.5 tail -f /dev/null; echo {n}>>")).collect();
    let mut agent = surroundings.start_agent().await;
    agent.ask("t1", &format!("{}<<text: done>>", steps.concat())).await;
    for kills in 1..=4 {
        surroundings
            .until("some progress", async |surroundings| {
                let events = surroundings.redis.events().await;
                let results = tool_outputs(&events, "t1");
                results.contains(&kills.to_string().as_str()).then_some(())
            })
            .await;
        agent.kill();
        agent = surroundings.start_agent().await;
    }
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!(outcome(&events, "t1").result, "done");
    // An answer that the model has sent and nobody lived to receive is on its bill alone.
    let ((cost, calls), (billed, billed_calls)) = (cost(&events), surroundings.model.billed().await);
    assert!(cost <= billed && (calls..=calls + 4).contains(&billed_calls), "{cost}, {calls}; {billed}, {billed_calls}");
}

#[tokio::test]
async fn of_claude_alone() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.ask("t1", "<<bash: touch running; timeout 3 tail -f /dev/null; echo one>><<text: done>>").await;
    let running = surroundings.workspace().join("running");
    surroundings.until("the tool to run", async |_| running.exists().then_some(())).await;
    std::thread::sleep(UNWRITTEN);
    for claude in agent.children() {
        kill_process(claude, Signal::KILL).unwrap();
    }
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!(outcome(&events, "t1").result, "done");
    assert_eq!(tool_outputs(&events, "t1"), ["one"]);
    assert_eq!(cost(&events), surroundings.model.billed().await);
    assert_eq!(agent.children(), []);
}

#[tokio::test]
async fn a_pod_that_is_shut_down_goes_on_in_the_next_one() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.ask("t1", "<<bash: echo one>><<slow: 4 a b c d e f g h>>").await;
    surroundings
        .until("the answer to begin", async |surroundings| {
            let events = surroundings.redis.events().await;
            has(&of_task(&events, "t1"), |body| matches!(body, Body::TextDelta { .. })).then_some(())
        })
        .await;
    assert_eq!(agent.stop(), Some(0));
    let events = surroundings.redis.events().await;
    check_stream(&events);
    assert!(matches!(&events.last().unwrap().body, Body::Lifecycle { state } if state == "stopping"));
    assert!(!has(&of_task(&events, "t1"), Body::is_terminal));
    let _agent = surroundings.start_agent().await;
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!(outcome(&events, "t1").result, "a b c d e f g h");
    assert_eq!(tool_outputs(&events, "t1"), ["one"]);
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn at_any_moment() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let step = |n| format!("<<bash: echo {n} | tee -a log; timeout 0.3 tail -f /dev/null>>");
    let script = format!("{}<<say: thinking>>{}<<slow: 1 all is done>>", step(1) + &step(2), step(3) + &step(4));
    let kills = 10;
    for kill in 0..kills {
        let agent = surroundings.start_agent().await;
        agent.ask("t1", &script).await;
        let milliseconds = u64::try_from(Uuid::new_v4().as_u128() % 3_000).unwrap();
        eprintln!("kill {kill} after {milliseconds} ms");
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        if kill % 3 == 2 {
            assert_eq!(agent.stop(), Some(0));
        } else {
            agent.kill();
        }
    }
    let agent = surroundings.start_agent().await;
    agent.ask("t1", &script).await;
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!(outcome(&events, "t1").result, "all is done");
    let log = std::fs::read_to_string(surroundings.workspace().join("log")).unwrap();
    let steps: std::collections::BTreeSet<_> = log.lines().collect();
    assert_eq!(steps.into_iter().collect::<Vec<_>>(), ["1", "2", "3", "4"]);
    let ((cost, calls), (billed, billed_calls)) = (cost(&events), surroundings.model.billed().await);
    assert!(
        cost <= billed && (calls..=calls + kills).contains(&billed_calls),
        "{cost}, {calls}; {billed}, {billed_calls}"
    );
}
