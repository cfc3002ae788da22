//! Connectors' servers, as Claude Code uses them; the servers are real, and so is what opens them.
use std::{
    fs::{self, Permissions},
    future::pending,
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use komputer_events::{
    Event, SealingKey,
    connector::{Connector, Login, Server},
};
use reqwest::StatusCode;
use serde_json::json;
use tokio::{net::TcpListener, task::AbortHandle};

use crate::{
    harness::{Agent, SEALING_KEY, Surroundings},
    tasks::{ended, outcome, tool_outputs},
};

const SECRET: &str = "mcp-secret-4711-0815";
const ROTATED: &str = "mcp-secret-new-2342";

fn http(url: String, login: Login) -> Connector {
    Connector { name: "tools".into(), server: Server::Http { url, login: Some(login) } }
}

fn bearer(secret: &str) -> Login {
    Login { header: "Authorization".into(), scheme: "Bearer ".into(), secret: secret.into() }
}

/// A server of tools that lives as long as its model, and what it wants to see.
fn of_model(surroundings: &Surroundings, secret: &str) -> Connector {
    http(format!("{}/mcp", surroundings.model.url()), bearer(secret))
}

fn call(tool: &str, input: &str) -> String {
    format!("<<tool: mcp__tools__{tool} {input}>>")
}

async fn run(surroundings: &mut Surroundings, agent: &Agent, uid: &str, script: &str) -> Vec<Event> {
    agent.ask(uid, &format!("{script}<<text: done>>")).await;
    let events = ended(surroundings, uid).await;
    assert_eq!(outcome(&events, uid).result, "done");
    events
}

#[tokio::test]
async fn tools_of_a_server_are_used_and_nothing_shows_what_opens_it() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.connect("t1", &[of_model(&surroundings, SECRET)]).await;
    let look = "env; cat /proc/*/environ /proc/*/cmdline; ls -lR .komputer";
    let script = [
        call("echo", r#"{"text": "hello"}"#),
        call("whoami", "{}"),
        call("reveal", "{}"),
        call("refuse", r#"{"text": "not today"}"#),
        format!("<<bash: {{ {look}; }} 2>&1 | tr '\\0' '\\n' > seen; echo looked>>"),
    ]
    .concat();
    let events = run(&mut surroundings, &agent, "t1", &script).await;
    let outputs = tool_outputs(&events, "t1");
    assert_eq!(outputs[0], "hello");
    assert_eq!(outputs[1], scripted_model::digest(SECRET));
    assert_eq!(outputs[2], "the key is [hidden by komputer]");
    assert!(outputs[3].contains("not today"), "{outputs:?}");

    let said = format!("{events:?}");
    let log = fs::read_to_string(surroundings.directory.path().join("agent.log")).unwrap();
    let seen = fs::read(surroundings.workspace().join("seen")).unwrap();
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("CLAUDE_CONFIG_DIR"), "the shell looks at what there is");
    let found = Command::new("grep").args(["-rlaF", SECRET]).arg(surroundings.directory.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "a file holds it");
    for (place, text) in [("an event", said.as_str()), ("the log", &log), ("the shell", &seen)] {
        assert!(!text.contains(SECRET) && !text.contains(SEALING_KEY), "{place} shows it");
    }
}

#[tokio::test]
async fn each_task_has_the_connectors_it_was_told() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    for (uid, secret) in [("t1", SECRET), ("t2", ROTATED)] {
        agent.connect(uid, &[of_model(&surroundings, secret)]).await;
        let events = run(&mut surroundings, &agent, uid, &call("whoami", "{}")).await;
        assert_eq!(tool_outputs(&events, uid), [scripted_model::digest(secret)]);
    }
    let in_header = Login { header: "X-Api-Key".into(), scheme: String::new(), secret: SECRET.into() };
    agent.connect("t3", &[http(format!("{}/mcp", surroundings.model.url()), in_header)]).await;
    let events = run(&mut surroundings, &agent, "t3", &call("whoami", "{}")).await;
    assert_eq!(tool_outputs(&events, "t3"), [scripted_model::digest(SECRET)]);

    assert_eq!(agent.teach(json!({})).await, StatusCode::ACCEPTED);
    let events = run(&mut surroundings, &agent, "t4", &call("whoami", "{}")).await;
    assert!(tool_outputs(&events, "t4")[0].contains("No such tool available"));

    let foreign = SealingKey::new(&"b".repeat(64)).unwrap().seal("t5", &[]).unwrap();
    assert_eq!(agent.tell_sealed("t5", &foreign).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_agent_that_is_killed_in_the_middle_waits_until_it_is_told_again() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.connect("t1", &[of_model(&surroundings, SECRET)]).await;
    agent.ask("t1", &format!("<<bash: touch begun; sleep 2>>{}<<text: done>>", call("whoami", "{}"))).await;
    surroundings
        .until("the task to begin", async |surroundings| surroundings.workspace().join("begun").exists().then_some(()))
        .await;
    agent.kill();
    let agent = surroundings.start_agent().await;
    assert_eq!(agent.status().await.running.as_deref(), Some("t1"));
    assert_eq!(agent.children(), [], "nothing runs before it is told");
    assert_eq!(agent.tell("t1", &[of_model(&surroundings, ROTATED)]).await, StatusCode::ACCEPTED);
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!(tool_outputs(&events, "t1").last(), Some(&&*scripted_model::digest(ROTATED)));

    // One that waits can still be cancelled.
    assert_eq!(agent.teach(json!({ "connectors": ["tools"] })).await, StatusCode::ACCEPTED);
    agent.ask("t2", "<<text: never>>").await;
    agent.cancel("t2").await;
    ended(&mut surroundings, "t2").await;
}

#[tokio::test]
async fn a_login_that_is_told_anew_is_used_by_the_running_task_and_both_are_hidden() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.connect("t1", &[of_model(&surroundings, SECRET)]).await;
    let wait = "<<bash: touch told.begun; until [ -e told ]; do sleep 0.1; done>>";
    let look = [call("whoami", "{}"), call("reveal", "{}")].concat();
    let echo = call("echo", &format!(r#"{{"text": "{SECRET}"}}"#));
    agent.ask("t1", &[&look, wait, &look, &echo, "<<text: done>>"].concat()).await;
    reached(&mut surroundings, "told").await;
    agent.tell("t1", &[of_model(&surroundings, ROTATED)]).await;
    fs::write(surroundings.workspace().join("told"), "").unwrap();
    let events = ended(&mut surroundings, "t1").await;
    let outputs = tool_outputs(&events, "t1");
    let hidden = "the key is [hidden by komputer]";
    let (first, second) = (scripted_model::digest(SECRET), scripted_model::digest(ROTATED));
    assert_eq!((outputs[0], outputs[1]), (&*first, hidden));
    assert_eq!((outputs[3], outputs[4], outputs[5]), (&*second, hidden, "[hidden by komputer]"));
}

/// A server of tools at that address, until it is aborted.
async fn serve(address: &str) -> (String, AbortHandle) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let config = scripted_model::Config { rejected_keys: vec!["wrong".into()], ledger: None };
    let server = tokio::spawn(scripted_model::serve(listener, config, pending()));
    (address, server.abort_handle())
}

#[tokio::test]
async fn a_server_that_is_away_is_told_to_the_model_and_tried_again() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    let (address, server) = serve("127.0.0.1:0").await;
    let tools = http(format!("http://{address}/mcp"), bearer(SECRET));
    agent.connect("t1", std::slice::from_ref(&tools)).await;
    let wait = |file: &str| format!("<<bash: touch {file}.begun; until [ -e {file} ]; do sleep 0.1; done>>");
    let echo = call("echo", r#"{"text": "here"}"#);
    agent
        .ask(
            "t1",
            &[&echo, &wait("gone"), &echo, &wait("back"), &echo, "<<text: done>>"].map(ToString::to_string).concat(),
        )
        .await;
    reached(&mut surroundings, "gone").await;
    server.abort();
    // Connections that are open have their own tasks.
    let workspace = surroundings.workspace();
    let closed = async |_: &mut Surroundings| tokio::net::TcpStream::connect(&address).await.is_err().then_some(());
    surroundings.until("the server to be away", closed).await;
    fs::write(workspace.join("gone"), "").unwrap();
    reached(&mut surroundings, "back").await;
    let (_, server) = serve(&address).await;
    fs::write(workspace.join("back"), "").unwrap();
    let events = ended(&mut surroundings, "t1").await;
    let outputs = tool_outputs(&events, "t1");
    let away = format!("the MCP server tools at http://{address}/mcp cannot be used now");
    assert_eq!((outputs[0], outputs[4]), ("here", "here"));
    assert!(outputs[2].contains(&away), "{outputs:?}");

    // The tools that it had are known, also where it is away from the beginning.
    server.abort();
    surroundings.until("the server to be away", closed).await;
    agent.tell("t2", &[tools]).await;
    let events = run(&mut surroundings, &agent, "t2", &echo).await;
    assert!(tool_outputs(&events, "t2")[0].contains(&away));
}

async fn reached(surroundings: &mut Surroundings, file: &str) {
    let begun = surroundings.workspace().join(format!("{file}.begun"));
    surroundings.until("the script to wait", async |_| begun.exists().then_some(())).await;
}

#[tokio::test]
async fn an_answer_has_its_bounds_and_a_wrong_key_is_refused() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.connect("t1", &[of_model(&surroundings, SECRET)]).await;
    let script = call("large", r#"{"bytes": 5000000}"#) + &call("echo", r#"{"text": "still here"}"#);
    let events = run(&mut surroundings, &agent, "t1", &script).await;
    let outputs = tool_outputs(&events, "t1");
    assert!(outputs[0].contains("exceeded the maximum size of 4194304 bytes"), "{outputs:?}");
    assert_eq!(outputs[1], "still here");

    agent.tell("t2", &[of_model(&surroundings, "wrong")]).await;
    let events = run(&mut surroundings, &agent, "t2", &call("whoami", "{}")).await;
    assert!(tool_outputs(&events, "t2")[0].contains("401"), "{:?}", tool_outputs(&events, "t2"));
}

/// An MCP server of one tool, which says what its environment is.
const PROGRAM: &str = r#"#!/bin/bash
while read -r line; do
  id=$(grep -oE '"id":[0-9]+' <<<"$line" | head -1 | cut -d: -f2)
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"p","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"environment","description":"d","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/call"'*) result="{\"content\":[{\"type\":\"text\",\"text\":\"$* $(env | tr '\n"\\' '   ')\"}]}" ;;
    *) continue ;;
  esac
  echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":$result}"
done
"#;

#[tokio::test]
async fn a_program_is_started_without_the_way_to_the_model() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let program = surroundings.directory.path().join("program");
    fs::write(&program, PROGRAM).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let agent = surroundings.start_agent_with(&[("SECRET_GITHUB", "for-the-program")]).await;
    let command = vec![program.display().to_string(), "--flag".into()];
    agent.connect("t1", &[Connector { name: "tools".into(), server: Server::Stdio { command } }]).await;
    let events = run(&mut surroundings, &agent, "t1", &call("environment", "{}")).await;
    let outputs = tool_outputs(&events, "t1");
    assert!(outputs[0].starts_with("--flag ") && outputs[0].contains("SECRET_GITHUB=for-the-program"), "{outputs:?}");
    assert!(!outputs[0].contains("ANTHROPIC_"), "{outputs:?}");
}
