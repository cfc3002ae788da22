//! What the HTTP server accepts, and from whom.
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Surroundings, task};

#[tokio::test]
async fn only_who_knows_the_token_is_heard() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(agent.anonymous(Method::GET, path).send().await.unwrap().status(), StatusCode::OK);
    }
    for (method, path) in
        [(Method::GET, "/v1/status"), (Method::PUT, "/v1/tasks/t1"), (Method::GET, "/metrics"), (Method::GET, "/")]
    {
        let wrong = agent.anonymous(method.clone(), path).bearer_auth("server-token-4712").send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
        let nobody = agent.anonymous(method, path).send().await.unwrap();
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(nobody.json::<Value>().await.unwrap(), json!({"error": "unauthorized"}));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    let without = |field: &str| {
        let mut task = task("x");
        task.as_object_mut().unwrap().remove(field);
        task
    };
    let with = |field: &str, value: Value| {
        let mut task = task("x");
        task[field] = value;
        task
    };
    let bad = [
        ("t1", without("model"), "missing field `model`"),
        ("t1", with("modle", json!("x")), "unknown field `modle`"),
        ("t1", with("maxCostUsd", json!("a lot")), "\"a lot\" is not an amount"),
        ("t1", with("maxTurns", json!(0)), "maxTurns is 0"),
        ("t1", with("instructions", json!(" ")), "instructions is empty"),
        ("T1", task("x"), "\"T1\" is not a uid"),
    ];
    for (uid, body, words) in bad {
        let (status, answer) = agent.put(uid, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer}");
    }
    let (status, answer) = agent.put("t1", task(&"x".repeat(2 << 20))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    assert_eq!(
        agent.request(Method::DELETE, "/v1/tasks/t1").send().await.unwrap().status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(agent.request(Method::GET, "/v2").send().await.unwrap().status(), StatusCode::NOT_FOUND);
    agent.ask("t1", "<<bash: timeout 60 tail -f /dev/null>><<text: x>>").await;
    let (status, answer) = agent.put("t1", task("<<text: something else>>")).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    let metrics = agent.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nkomputer_agent_tasks_running "), "{metrics}");
}
