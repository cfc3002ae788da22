//! A manager's tools, as Claude Code calls them; the test answers as the operator does.
use komputer_events::{
    Body, Event,
    office::{Answer, AskAgent, CreateAgent, Nothing, OfficeRequest, Role},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    harness::{Agent, Surroundings},
    tasks::{ended, of_task, outcome, tool_outputs},
};

/// The requests of a task that have no answer.
fn open(events: &[Event], uid: &str) -> Vec<(String, OfficeRequest)> {
    let mut open = Vec::new();
    for body in of_task(events, uid) {
        match body {
            Body::OfficeRequest { id, request } => open.push((id.clone(), request.clone())),
            Body::OfficeAnswer { id, .. } => open.retain(|(asked, _)| asked != id),
            _ => {}
        }
    }
    open
}

/// The id of that request, once it is open.
async fn asked(surroundings: &mut Surroundings, uid: &str, request: &OfficeRequest) -> String {
    surroundings
        .until("the office to be asked", async |surroundings| {
            let open = open(&surroundings.redis.events().await, uid);
            open.into_iter().find_map(|(id, asked)| (asked == *request).then_some(id))
        })
        .await
}

async fn answer(agent: &Agent, id: &str, answer: &Answer) -> StatusCode {
    agent.request(Method::PUT, &format!("/v1/requests/{id}/answer")).json(answer).send().await.unwrap().status()
}

const MANAGER: [(&str, &str); 1] = [("KOMPUTER_MANAGER", "true")];

#[tokio::test]
async fn a_manager_asks_its_office_and_reads_the_answers() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent_with(&MANAGER).await;
    let script = r#"<<tool: mcp__komputer__create_agent {"name": "bob", "role": "worker"}>><<tool: mcp__komputer__ask_agent {"name": "eve", "instructions": "i"}>><<text: managed>>"#;
    agent.ask("managing", script).await;
    let create = CreateAgent { name: "bob".into(), role: Some(Role::Worker), ..CreateAgent::default() };
    let id = asked(&mut surroundings, "managing", &OfficeRequest::CreateAgent(create)).await;
    // An answer that comes twice is taken twice.
    for _ in 0..2 {
        let created = Answer::Result(json!({ "created": "bob" }));
        assert_eq!(answer(&agent, &id, &created).await, StatusCode::ACCEPTED);
    }
    let ask = AskAgent { name: "eve".into(), instructions: "i".into() };
    let id = asked(&mut surroundings, "managing", &OfficeRequest::AskAgent(ask)).await;
    answer(&agent, &id, &Answer::Error("eve is none of yours".into())).await;

    let events = ended(&mut surroundings, "managing").await;
    assert_eq!(outcome(&events, "managing").result, "managed");
    let outputs = tool_outputs(&events, "managing");
    assert!(outputs[0] == r#"{"created":"bob"}"# && outputs[1].contains("eve is none of yours"), "{outputs:?}");
    assert_eq!(answer(&agent, "x", &Answer::Error("e".into())).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_manager_that_is_killed_while_it_waits_asks_anew() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent_with(&MANAGER).await;
    agent.ask("waiting", "<<tool: mcp__komputer__list_agents {}>><<text: counted>>").await;
    let list = OfficeRequest::ListAgents(Nothing {});
    let before = asked(&mut surroundings, "waiting", &list).await;
    agent.kill();
    let agent = surroundings.start_agent_with(&MANAGER).await;
    let stale = Answer::Result(json!({ "agents": ["stale"] }));
    assert_eq!(answer(&agent, &before, &stale).await, StatusCode::ACCEPTED);
    let anew = surroundings
        .until("the office to be asked anew", async |surroundings| {
            let events = surroundings.redis.events().await;
            let is_answered = |event: &Event| matches!(&event.body, Body::OfficeAnswer { id, .. } if *id == before);
            let anew = open(&events, "waiting").into_iter().find(|(id, _)| *id != before);
            anew.filter(|_| events.iter().any(is_answered))
        })
        .await;
    answer(&agent, &anew.0, &Answer::Result(json!({ "agents": ["fresh"] }))).await;
    let events = ended(&mut surroundings, "waiting").await;
    assert_eq!(outcome(&events, "waiting").result, "counted");
    let outputs = tool_outputs(&events, "waiting");
    assert!(outputs.last().unwrap().contains("fresh") && !outputs.concat().contains("stale"), "{outputs:?}");
}

#[tokio::test]
async fn a_call_that_makes_no_sense_is_explained_and_a_worker_has_no_office() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent_with(&MANAGER).await;
    agent.ask("wrong", r#"<<tool: mcp__komputer__ask_agent {"nobody": 1}>><<text: seen>>"#).await;
    let events = ended(&mut surroundings, "wrong").await;
    let outputs = tool_outputs(&events, "wrong");
    assert!(outputs[0].contains("unknown field `nobody`"), "{outputs:?}");
    agent.stop();

    let agent = surroundings.start_agent().await;
    agent.ask("worker", "<<tool: mcp__komputer__list_agents {}>><<text: alone>>").await;
    let events = ended(&mut surroundings, "worker").await;
    let outputs = tool_outputs(&events, "worker");
    assert!(outputs[0].contains("No such tool available"), "{outputs:?}");
}
