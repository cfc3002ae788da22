//! Who may look: whoever the cluster lets look, and nobody else.
use std::process::Command;

use serde_json::{Value, json};

use super::{
    cluster::{Cluster, agent, task},
    server::Server,
};

const AGENTS: &str = "komputeragents.komputer.komputer.ai";

#[tokio::test]
async fn strangers_are_401_the_unentitled_403_and_the_entitled_are_answered() {
    let server = Server::start(&[]).await;
    let cluster = &server.cluster;
    cluster.namespace("access");
    cluster.apply(&agent("access", "ada", &json!({}), &json!({})));
    cluster.apply(&task("access", "ada-1", "ada"));
    cluster.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerBudget",
        "metadata": {"name": "daily", "namespace": "access"}, "spec": {"limitUSD": "1", "period": "Day"},
    }));
    let entitled = server.client(&cluster.token("access", "entitled", Some("komputer-view")));
    let unentitled = server.client(&cluster.token("access", "unentitled", None));
    until_seen(&entitled, "agents/ada?namespace=access").await;
    until_seen(&entitled, "tasks/ada-1?namespace=access").await;
    until_seen(&entitled, "budgets/daily?namespace=access").await;
    for path in ["agents", "agents/ada", "agents/ada/events", "tasks", "tasks/ada-1", "budgets", "budgets/daily"] {
        let path = format!("{path}?namespace=access");
        let stranger = server.stranger().get(&path).await;
        assert_eq!(
            (stranger.status, &stranger.headers["www-authenticate"]),
            (401, &"Bearer realm=\"komputer\"".parse().unwrap())
        );
        assert_eq!(server.client("not-a-token").get(&path).await.status, 401, "{path}");
        assert_eq!(unentitled.get(&path).await.status, 403, "{path}");
        let answer = entitled.get(&path).await;
        assert_eq!((answer.status, &answer.headers["cache-control"]), (200, &"no-store".parse().unwrap()), "{path}");
    }
    let socket = "agents/ada/ws?namespace=access";
    assert_eq!(server.stranger().socket(socket).await.err().unwrap().status(), 401);
    assert_eq!(unentitled.socket(socket).await.err().unwrap().status(), 403);
    assert!(entitled.socket(socket).await.is_ok());
    let token_in_query = format!("{socket}&access_token={}", cluster.token("access", "entitled", None));
    assert_eq!(server.stranger().socket(&token_in_query).await.err().unwrap().status(), 401);
}

#[tokio::test]
async fn a_refusal_names_what_was_asked_and_where() {
    let server = Server::start(&[]).await;
    let cluster = &server.cluster;
    cluster.namespace("refusal");
    let reader = server.client(&cluster.token("refusal", "reader", Some("komputer-view")));
    let error = |body: Value| body["error"].as_str().unwrap().to_owned();
    let everywhere = reader.get("agents").await;
    assert_eq!(everywhere.status, 403);
    let said = error(everywhere.body);
    assert!(said.contains(&format!("may not list {AGENTS} in all namespaces")), "{said}");
    assert!(said.contains("system:serviceaccount:refusal:reader"), "{said}");
    let said = error(reader.get("agents/ada/events?namespace=other").await.body);
    assert!(said.contains(&format!("may not get {AGENTS} \"ada\" in namespace \"other\"")), "{said}");
}

#[tokio::test]
async fn namespaces_are_those_whose_agents_the_caller_may_list() {
    let server = Server::start(&[]).await;
    let cluster = &server.cluster;
    for namespace in ["mine", "yours", "theirs"] {
        cluster.namespace(namespace);
        cluster.apply(&agent(namespace, "ada", &json!({}), &json!({})));
    }
    let all = server.client(&cluster.token_everywhere("mine", "all", "komputer-view"));
    let mine = server.client(&cluster.token("mine", "mine", Some("komputer-view")));
    until_seen(&mine, "agents/ada?namespace=mine").await;
    until_seen(&all, "agents/ada?namespace=theirs").await;
    assert_eq!(mine.get("namespaces").await.body, json!({ "namespaces": ["mine"] }));
    let seen = all.get("namespaces").await.body["namespaces"].as_array().unwrap().clone();
    assert!(["mine", "theirs", "yours"].iter().all(|namespace| seen.contains(&json!(namespace))), "{seen:?}");
}

#[tokio::test]
async fn an_open_socket_ends_when_the_right_or_the_caller_does() {
    let server = Server::start(&["--reauthorize-seconds=1"]).await;
    let cluster = &server.cluster;
    cluster.namespace("revoked");
    let [loser, leaver] =
        ["loser", "leaver"].map(|who| server.client(&cluster.token("revoked", who, Some("komputer-view"))));
    let mut lost = loser.socket("agents/ada/ws?namespace=revoked").await.unwrap();
    let mut left = leaver.socket("agents/ada/ws?namespace=revoked").await.unwrap();
    cluster.kubectl(&["-n", "revoked", "delete", "rolebinding", "loser"]);
    cluster.kubectl(&["-n", "revoked", "delete", "serviceaccount", "leaver"]);
    assert_eq!(left.end().await.0, 4401);
    assert_eq!(lost.end().await.0, 4403);
    assert_eq!(leaver.get("agents?namespace=revoked").await.status, 401, "its token is not remembered as good");
}

#[tokio::test]
async fn the_apis_own_account_can_only_look() {
    let cluster = Cluster::shared();
    let can = cluster.kubectl(&["auth", "can-i", "--list", "--as=system:serviceaccount:komputer-system:komputer-api"]);
    let verbs = |resource: &str| {
        can.lines().find(|line| line.starts_with(resource)).unwrap().rsplit_once('[').unwrap().1.to_owned()
    };
    assert_eq!(verbs(AGENTS), "get list watch]");
    assert_eq!(verbs("tokenreviews.authentication.k8s.io"), "create]");
    assert_eq!(verbs("subjectaccessreviews.authorization.k8s.io"), "create]");
    assert!(!can.contains("secrets") && !can.contains("delete") && !can.contains("patch"), "{can}");
}

#[test]
fn without_authentication_it_serves_this_machine_or_nobody() {
    let refused = Command::new(env!("CARGO_BIN_EXE_komputer-api")).args(["--auth=none"]).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("--auth=none would let anybody who reaches 0.0.0.0:8080 read everything"), "{said}");
}

#[tokio::test]
async fn without_authentication_a_page_from_elsewhere_gets_nothing() {
    let server = Server::start(&["--auth=none"]).await;
    assert_eq!(server.stranger().get("agents").await.status, 200);
    let port = server.address.rsplit_once(':').unwrap().1;
    let foreign = reqwest::Client::new().get(format!("http://{}/api/v1/agents", server.address));
    let answer = foreign.header("host", format!("evil.example:{port}")).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(server.stranger().socket("agents/ada/ws").await.is_ok());
}

/// What is applied reaches the api's cache a moment later.
pub async fn until_seen(client: &super::client::Client, path: &str) {
    for _ in 0..300 {
        if client.get(path).await.status == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{path} is never seen");
}
