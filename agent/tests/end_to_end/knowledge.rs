//! Skills and memories, as Claude Code has them.
use komputer_events::{Body, Event};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    harness::Surroundings,
    tasks::{ended, of_task, outcome, tool_outputs},
};

/// What the model read for the task, in tokens.
fn read(events: &[Event], uid: &str) -> u64 {
    let usages = of_task(events, uid).into_iter().filter_map(|body| match body {
        Body::Usage { usage, .. } => Some(usage),
        _ => None,
    });
    usages
        .map(|usage| usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens)
        .max()
        .unwrap_or_default()
}

#[tokio::test]
async fn what_an_agent_is_taught_counts_from_its_next_task_on() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.ask("before", "<<text: nothing>>").await;
    let events = ended(&mut surroundings, "before").await;
    let untaught = read(&events, "before");

    let skill = json!({ "name": "review", "description": "When: asked for a review", "content": "Count to three." });
    let memory = json!({ "name": "style", "content": "Be brief. ".repeat(4_000) });
    for _ in 0..2 {
        let taught = agent.teach(json!({ "skills": [skill], "memories": [memory] })).await;
        assert_eq!(taught, StatusCode::ACCEPTED);
    }
    agent
        .ask(
            "taught",
            r#"<<tool: Skill {"skill": "review"}>><<bash: cat .claude/skills/review/SKILL.md>><<text: done>>"#,
        )
        .await;
    let events = ended(&mut surroundings, "taught").await;
    let outputs = tool_outputs(&events, "taught");
    assert!(outputs[0].contains("review") && outputs[1].contains("Count to three."), "{outputs:?}");
    assert_eq!(outcome(&events, "taught").result, "done");
    assert!(read(&events, "taught") > untaught + 5_000, "the memory is part of the prompt");

    assert_eq!(agent.teach(json!({ "skills": [], "memories": [] })).await, StatusCode::ACCEPTED);
    agent.ask("after", "<<bash: ls .claude/skills>><<text: forgotten>>").await;
    let events = ended(&mut surroundings, "after").await;
    assert_eq!(tool_outputs(&events, "after"), ["(Bash completed with no output)"]);

    let wrong = json!({ "skills": [{ "name": "../../x", "description": "d", "content": "c" }] });
    assert_eq!(agent.teach(wrong).await, StatusCode::BAD_REQUEST);
}
