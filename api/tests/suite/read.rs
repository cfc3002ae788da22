//! What is read over REST.
use serde_json::{Value, json};

use super::{
    access::until_seen,
    cluster::{agent, task},
    redis::Producer,
    server::Server,
};

fn names(body: &Value, list: &str) -> Vec<String> {
    body[list].as_array().unwrap().iter().map(|object| object["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn agents_and_tasks_are_listed_filtered_and_paged() {
    let server = Server::start(&[]).await;
    let cluster = &server.cluster;
    cluster.namespace("read");
    for (name, team) in [("ada", "red"), ("bob", "blue"), ("eve", "red")] {
        cluster.apply(&agent("read", name, &json!({ "team": team }), &json!({"instructions": "count"})));
        cluster.apply(&task("read", &format!("{name}-1"), name));
    }
    cluster.set_status("komputeragent", "read", "ada", &json!({"phase": "Working", "totalCostUSD": "0.5000"}));
    cluster.set_status("komputertask", "read", "bob-1", &json!({"phase": "Succeeded", "result": "9"}));
    let reader = server.client(&cluster.token("read", "reader", Some("komputer-view")));
    until_seen(&reader, "tasks/eve-1?namespace=read").await;
    until_seen(&reader, "agents/eve?namespace=read").await;

    let list = async |query: &str, list: &str| {
        let path = format!("{list}?namespace=read{query}");
        names(&reader.get(&path).await.body, list)
    };
    assert_eq!(list("", "agents").await, ["ada", "bob", "eve"]);
    assert_eq!(list("&label=team=red", "agents").await, ["ada", "eve"]);
    assert_eq!(list("&labelSelector=team%20notin%20(red)", "agents").await, ["bob"]);
    assert_eq!(list("&status=RUNNING", "agents").await, ["ada"]);
    assert_eq!(list("&agent=eve", "tasks").await, ["eve-1"]);
    assert_eq!(list("&status=succeeded", "tasks").await, ["bob-1"]);

    let first = reader.get("agents?namespace=read&limit=2").await.body;
    assert_eq!(names(&first, "agents"), ["ada", "bob"]);
    let token = first["continue"].as_str().unwrap();
    let second = reader.get(&format!("agents?namespace=read&limit=2&continue={token}")).await.body;
    assert_eq!((names(&second, "agents"), second.get("continue")), (vec!["eve".to_owned()], None));

    let ada = reader.get("agents/ada?namespace=read").await.body;
    assert_eq!(
        (&ada["status"], &ada["phase"], &ada["totalCostUSD"]),
        (&json!("Running"), &json!("Working"), &json!("0.5000"))
    );
    assert_eq!(reader.get("tasks/bob-1?namespace=read").await.body["result"], "9");
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let server = Server::start(&[]).await;
    let reader = server.client(&server.cluster.token_everywhere("default", "reader-of-errors", "komputer-view"));
    for (path, status, said) in [
        ("agents/nobody", 404, "agent \"nobody\" not found in namespace \"default\""),
        ("agents/nobody/events", 404, "agent \"nobody\" not found in namespace \"default\""),
        ("tasks/nothing?namespace=a", 404, "task \"nothing\" not found in namespace \"a\""),
        ("unicorns", 404, "no such path"),
        ("agents?limit=0", 400, "parameter \"limit\""),
        ("agents?status=asleep", 400, "parameter \"status\""),
        ("agents/Ada", 400, "parameter \"name\""),
        ("agents/ada?namespace=A", 400, "parameter \"namespace\""),
        ("agents/ada/events?limit=201", 400, "parameter \"limit\""),
        ("agents/ada/events?after=soon", 400, "parameter \"after\""),
        ("agents/ada/ws", 426, "this path is a WebSocket"),
    ] {
        let answer = reader.get(path).await;
        let error = answer.body["error"].as_str().unwrap_or_default();
        assert_eq!(answer.status, status, "{path}: {error}");
        assert!(error.contains(said), "{path}: {error}");
    }
    let answer = reader.post("agents").await;
    assert_eq!((answer.status, &answer.headers["allow"]), (405, &"GET".parse().unwrap()));
}

#[tokio::test]
async fn events_are_read_in_pages_either_way() {
    let server = Server::start(&[]).await;
    let cluster = &server.cluster;
    cluster.namespace("events");
    cluster.apply(&agent("events", "silent", &json!({}), &json!({})));
    let mut ada = Producer::new(&server.redis, "events", "ada");
    ada.say(120).await;
    let reader = server.client(&cluster.token("events", "reader", Some("komputer-view")));
    let all: Vec<Value> = ada.said.iter().map(|entry| serde_json::from_str(&entry.json).unwrap()).collect();
    let read = async |query: &str| reader.get(&format!("agents/ada/events?namespace=events{query}")).await.body;

    let newest = read("").await;
    assert_eq!((newest["agent"].as_str(), newest["events"].as_array()), (Some("ada"), Some(&all[70..].to_vec())));
    assert_eq!(newest["next"], all[119]["id"]);
    let id = |index: usize| all[index]["id"].as_str().unwrap();
    let before = read(&format!("&limit=20&before={}", id(70))).await;
    assert_eq!(before["events"].as_array(), Some(&all[50..70].to_vec()));
    let after = read(&format!("&limit=200&after={}", id(99))).await;
    assert_eq!(after["events"].as_array(), Some(&all[100..].to_vec()));
    let between = read(&format!("&after={}&before={}", id(9), id(12))).await;
    assert_eq!(between["events"].as_array(), Some(&all[10..12].to_vec()));
    let nothing = read(&format!("&after={}", id(119))).await;
    assert_eq!((&nothing["events"], &nothing["next"]), (&json!([]), &all[119]["id"]));

    let millisecond = ada.said[60].id.milliseconds();
    let time = jiff::Timestamp::from_millisecond(i64::try_from(millisecond).unwrap()).unwrap();
    let later: Vec<_> = ada.said.iter().zip(&all).filter(|(entry, _)| entry.id.milliseconds() > millisecond).collect();
    let since = read(&format!("&limit=200&after={time}")).await;
    assert_eq!(since["events"].as_array().unwrap().len(), later.len());
    assert_eq!(since["events"][0], *later[0].1);

    until_seen(&reader, "agents/silent?namespace=events").await;
    let silent = reader.get("agents/silent/events?namespace=events").await;
    assert_eq!((silent.status, &silent.body["events"]), (200, &json!([])));
}
