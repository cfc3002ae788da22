//! What is said in the middle of a task, and conversations that are summarised by request.
use std::time::Duration;

use komputer_events::{Body, Event};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    harness::{Agent, Surroundings, task},
    tasks::{cost, ended, failure, of_task, outcome, tool_outputs},
};

/// Runs a while in a tool, and does two things after.
const LONG: &str = "<<bash: touch running; timeout 3 tail -f /dev/null; echo one>><<bash: echo two>><<text: done>>";
/// What Claude Code may not have written down yet.
const UNWRITTEN: Duration = Duration::from_millis(300);

/// An agent in the middle of the tool of task `t1`.
async fn at_work(script: &str) -> Option<(Surroundings, Agent)> {
    let mut surroundings = Surroundings::prepare().await?;
    let agent = surroundings.start_agent().await;
    agent.ask("t1", script).await;
    let running = surroundings.workspace().join("running");
    surroundings.until("the tool to run", async |_| running.exists().then_some(())).await;
    Some((surroundings, agent))
}

async fn say(agent: &Agent, uid: &str, text: &str) {
    assert_eq!(agent.say("t1", uid, json!({ "text": text })).await, StatusCode::ACCEPTED);
}

fn read(events: &[Event], uid: &str) -> usize {
    let is_read =
        |body: &&&Body| matches!(body, Body::UserMessage { steer: true, into: Some(into), .. } if into == "t1");
    of_task(events, uid).iter().filter(is_read).count()
}

async fn until_read(surroundings: &mut Surroundings, uid: &str) {
    let is_read = async |surroundings: &mut Surroundings| {
        let events = surroundings.redis.events().await;
        (read(&events, uid) > 0).then_some(())
    };
    surroundings.until("the message to be read", is_read).await;
}

/// How often Claude Code has written down that it read something in the middle of a turn.
fn deliveries(surroundings: &Surroundings) -> usize {
    let projects = surroundings.workspace().join(".claude/projects");
    let files =
        std::fs::read_dir(projects).unwrap().flat_map(|project| std::fs::read_dir(project.unwrap().path()).unwrap());
    let texts = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
    texts.map(|text| text.matches("\"type\":\"queued_command\"").count()).sum()
}

#[tokio::test]
async fn a_message_is_read_in_the_middle_of_the_running_task_and_ends_with_it() {
    let Some((mut surroundings, agent)) = at_work(LONG).await else { return };
    for _ in 0..2 {
        say(&agent, "m1", "<<text: as you say>>").await;
    }
    assert_eq!(agent.say("t1", "m1", json!({"text": "another"})).await, StatusCode::CONFLICT);
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!((outcome(&events, "t1").result.as_str(), tool_outputs(&events, "t1")), ("as you say", vec!["one"]));
    assert_eq!((outcome(&events, "m1").result.as_str(), read(&events, "m1")), ("as you say", 1));
    assert_eq!(events.last().unwrap().task.as_deref(), Some("t1"), "the message ends before the task does");
    assert_eq!(cost(&events), surroundings.model.billed().await, "all of it is the task's");

    assert_eq!(agent.say("t1", "m1", json!({"text": "<<text: as you say>>"})).await, StatusCode::ACCEPTED);
    agent.ask("m1", "<<text: as you say>>").await;
    agent.ask("t2", "<<text: after>>").await;
    let after = ended(&mut surroundings, "t2").await;
    assert_eq!(of_task(&after, "m1"), of_task(&events, "m1"), "what has ended stays as it is");
}

#[tokio::test]
async fn a_message_that_comes_with_the_last_words_is_answered_after_them() {
    let Some((mut surroundings, agent)) = at_work("<<bash: touch running>><<slow: 3 a b c d e f g h>>").await else {
        return;
    };
    surroundings
        .until("the last words to begin", async |surroundings| {
            let events = surroundings.redis.events().await;
            of_task(&events, "t1").iter().any(|body| matches!(body, Body::TextDelta { .. })).then_some(())
        })
        .await;
    say(&agent, "m1", "<<bash: echo more>><<text: one more thing>>").await;
    let events = ended(&mut surroundings, "t1").await;
    let texts: Vec<_> = of_task(&events, "t1")
        .into_iter()
        .filter_map(|body| if let Body::Text { content } = body { Some(content.as_str()) } else { None })
        .collect();
    assert_eq!(texts, ["a b c d e f g h", "one more thing"]);
    assert_eq!((outcome(&events, "m1").result.as_str(), read(&events, "m1")), ("one more thing", 1));
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn a_message_that_is_cancelled_before_it_was_read_never_is() {
    let Some((mut surroundings, agent)) = at_work(LONG).await else { return };
    say(&agent, "m1", "<<text: as you say>>").await;
    tokio::time::sleep(UNWRITTEN).await;
    for _ in 0..2 {
        assert_eq!(agent.cancel("m1").await, StatusCode::ACCEPTED);
    }
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!((outcome(&events, "t1").result.as_str(), tool_outputs(&events, "t1")), ("done", vec!["one", "two"]));
    let words = "cancelled by request before the agent has read it".to_owned();
    assert_eq!(of_task(&events, "m1"), [&Body::TaskCancelled { reason: words }]);
}

#[tokio::test]
async fn a_message_that_was_read_ends_early_by_its_deadline_or_a_cancellation_and_the_task_goes_on() {
    let script =
        "<<bash: touch running; timeout 1 tail -f /dev/null>><<bash: timeout 4 tail -f /dev/null>><<text: done>>";
    let Some((mut surroundings, agent)) = at_work(script).await else { return };
    assert_eq!(agent.say("t1", "late", json!({"text": "hurry", "deadlineMs": 500})).await, StatusCode::ACCEPTED);
    say(&agent, "unwanted", "never mind").await;
    until_read(&mut surroundings, "unwanted").await;
    assert_eq!(agent.cancel("unwanted").await, StatusCode::ACCEPTED);
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!(outcome(&events, "t1").result, "done");
    assert_eq!(failure(&events, "late").0, "DeadlineExceeded");
    let words = "cancelled by request after the agent has read it".to_owned();
    assert_eq!(of_task(&events, "unwanted").last(), Some(&&Body::TaskCancelled { reason: words }));
}

#[tokio::test]
async fn a_message_whose_task_ends_before_it_was_read_can_be_a_task_of_its_own() {
    let Some((mut surroundings, agent)) = at_work(LONG).await else { return };
    say(&agent, "m1", "<<text: by myself>>").await;
    let (status, _) = agent.put("m1", task("<<text: by myself>>")).await;
    assert_eq!(status, StatusCode::CONFLICT, "it may be read in the task still");
    assert_eq!(agent.cancel("t1").await, StatusCode::ACCEPTED);
    let events = ended(&mut surroundings, "t1").await;
    assert!(of_task(&events, "m1").is_empty(), "whoever sent it sends it anew");
    assert_eq!(agent.say("t1", "m1", json!({"text": "<<text: by myself>>"})).await, StatusCode::CONFLICT);
    agent.ask("m1", "<<text: by myself>>").await;
    let events = ended(&mut surroundings, "m1").await;
    assert_eq!((outcome(&events, "m1").result.as_str(), read(&events, "m1")), ("by myself", 0));
}

#[tokio::test]
async fn a_message_is_read_once_whenever_the_pod_is_killed() {
    // Before it was read.
    let Some((mut surroundings, agent)) = at_work(LONG).await else { return };
    say(&agent, "m1", "<<text: as you say>>").await;
    tokio::time::sleep(UNWRITTEN).await;
    agent.kill();
    let agent = surroundings.start_agent().await;
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!((outcome(&events, "m1").result.as_str(), read(&events, "m1")), ("as you say", 1));
    assert_eq!(deliveries(&surroundings), 1);
    drop(agent);

    // After.
    let Some((mut surroundings, agent)) = at_work(LONG).await else { return };
    say(&agent, "m1", "<<bash: echo three | tee -a log>><<bash: timeout 3 tail -f /dev/null>><<text: as you say>>")
        .await;
    let log = surroundings.workspace().join("log");
    surroundings.until("what was said to be done", async |_| log.exists().then_some(())).await;
    tokio::time::sleep(UNWRITTEN).await;
    agent.kill();
    let _agent = surroundings.start_agent().await;
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!((outcome(&events, "m1").result.as_str(), read(&events, "m1")), ("as you say", 1));
    assert_eq!(std::fs::read_to_string(log).unwrap(), "three\n");
    assert_eq!(deliveries(&surroundings), 1);
}

#[tokio::test]
async fn nothing_is_said_in_the_middle_of_a_task_that_does_not_run() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    assert_eq!(agent.say("t1", "m1", json!({"text": "hurry"})).await, StatusCode::CONFLICT);
    assert_eq!(agent.say("t1", "m1", json!({"text": " "})).await, StatusCode::BAD_REQUEST);
}

fn compaction(keep: &str) -> Value {
    let mut compaction = task(keep);
    compaction["compact"] = json!(true);
    compaction
}

#[tokio::test]
async fn a_conversation_is_summarised_by_request_and_goes_on() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    assert_eq!(agent.put("empty", compaction("")).await.0, StatusCode::ACCEPTED);
    agent.ask("t1", "<<bash: echo one>><<text: done>>").await;
    assert_eq!(agent.put("compaction", compaction("keep the numbers")).await.0, StatusCode::ACCEPTED);
    agent.ask("t2", "<<bash: echo two>><<text: after>>").await;
    let events = ended(&mut surroundings, "t2").await;
    assert_eq!(outcome(&events, "empty").result, "there is no conversation yet");
    let summaries: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.body {
            Body::Compaction { trigger, tokens_before, tokens_after } => {
                Some((event.task.as_deref(), trigger.as_str(), tokens_before > tokens_after))
            }
            _ => None,
        })
        .collect();
    assert_eq!(summaries, [(Some("compaction"), "manual", true)]);
    let result = &outcome(&events, "compaction").result;
    assert!(result.contains("tokens before"), "{result}");
    assert_eq!(outcome(&events, "t2").result, "after");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}
