//! The server over HTTP, as its clients see it.

#![allow(clippy::unwrap_used)]

use std::{net::SocketAddr, path::PathBuf};

use scripted_model::{Config, serve};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(ledger: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config { rejected_keys: vec!["invalid".into()], ledger };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, config, async {
            let _ = stopped.await;
        }));
        Self { address, stop, served }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.served.await.unwrap().unwrap();
    }

    /// Sends a request on its own connection and leaves the answer unread.
    async fn send(&self, head: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        stream
    }

    /// The status line and headers, in lower case, and the body without its chunks' sizes.
    async fn exchange(&self, head: &str, body: &[u8]) -> (String, String) {
        let mut answer = Vec::new();
        let _ = self.send(head, body).await.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        (head, body)
    }

    async fn get(&self, path: &str) -> Value {
        let (_, body) = self.exchange(&format!("GET {path} HTTP/1.1\r\nx-api-key: k"), b"").await;
        serde_json::from_str(&body).unwrap()
    }

    async fn post(&self, body: &Value) -> (String, String) {
        self.exchange("POST /v1/messages?beta=true HTTP/1.1\r\nx-api-key: k", body.to_string().as_bytes()).await
    }
}

fn unchunked(mut body: &str) -> String {
    let mut plain = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap().min(rest.len());
        plain += &rest[..size];
        body = rest[size..].trim_start_matches("\r\n");
    }
    plain
}

fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn prompt(script: &str, stream: bool) -> Value {
    json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 100,
        "stream": stream,
        "tools": [{"name": "Bash"}],
        "messages": [{"role": "user", "content": script}],
    })
}

#[tokio::test]
async fn a_streamed_answer_follows_the_script_and_is_billed() {
    let server = Server::start(None).await;
    let (head, body) = server.post(&prompt("<<tag: t>><<say: so>><<bash: echo hi>>", true)).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("text/event-stream"), "{head}");
    assert!(head.contains("x-komputer-scripted: true") && head.contains("request-id: req_scripted_"), "{head}");
    let events = events(&body);
    assert_eq!(events.last().unwrap()["type"], "message_stop");
    assert!(events[0]["message"]["id"].as_str().unwrap().starts_with("msg_scripted_"));
    let call = events.iter().find(|event| event["content_block"]["type"] == "tool_use").unwrap();
    assert!(call["content_block"]["id"].as_str().unwrap().starts_with("toolu_scripted_"));

    let usage = &events[events.len() - 2]["usage"];
    let ledger = server.get("/ledger?script=t").await;
    let billed = &ledger["models"]["claude-sonnet-4-6"];
    assert_eq!((&ledger["calls"], &billed["input_tokens"]), (&1.into(), &usage["input_tokens"]));
    assert_eq!(billed["output_tokens"], usage["output_tokens"]);
    let nano = 3000 * usage["input_tokens"].as_u64().unwrap() + 15_000 * usage["output_tokens"].as_u64().unwrap();
    let cost: f64 = ledger["cost_usd"].as_str().unwrap().parse().unwrap();
    assert_eq!(format!("{:.0}", cost * 1e9), nano.to_string());
    assert_eq!(server.get("/ledger/scripts").await["scripts"]["t"]["calls"], 1);
}

#[tokio::test]
async fn an_unstreamed_answer_is_one_document() {
    let server = Server::start(None).await;
    let (head, body) = server.post(&prompt("<<text: done>>", false)).await;
    assert!(head.contains("application/json"), "{head}");
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(message["content"], json!([{"type": "text", "text": "done"}]));
    assert_eq!(
        server.get("/ledger").await["models"]["claude-sonnet-4-6"]["output_tokens"],
        message["usage"]["output_tokens"]
    );
}

#[tokio::test]
async fn the_same_request_counts_the_same() {
    let server = Server::start(None).await;
    let mut counts = Vec::new();
    for _ in 0..2 {
        let (_, body) = server.post(&prompt("<<bash: echo {n}>>", false)).await;
        counts.push(serde_json::from_str::<Value>(&body).unwrap()["usage"].clone());
    }
    assert_eq!(counts[0], counts[1]);
}

#[tokio::test]
async fn a_prompt_without_directives_is_told_who_answers() {
    let server = Server::start(None).await;
    let (_, body) = server.post(&prompt("What is 2+2?", false)).await;
    assert!(body.contains(r#"echo \"hello from $(hostname)\""#), "{body}");
    let mut talk = prompt("What is 2+2?", true);
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]});
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "hello"}]});
    talk["messages"].as_array_mut().unwrap().extend([call, result]);
    let (_, body) = server.post(&talk).await;
    let said: String = events(&body).iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert!(said.starts_with("This is komputer's scripted model, not Claude") && said.contains("2+2"), "{said}");
    assert!(events(&body).len() > 20, "the text is not in small pieces");
}

#[tokio::test]
async fn scripted_errors_happen_so_often_and_cost_nothing() {
    let server = Server::start(None).await;
    let script = prompt("<<err: 529 overloaded_error*2>><<text: recovered>>", true);
    for _ in 0..2 {
        let (head, body) = server.post(&script).await;
        assert!(head.starts_with("http/1.1 529") && head.contains("retry-after: 1"), "{head}");
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["error"]["type"], "overloaded_error");
    }
    assert_eq!(server.get("/ledger").await, json!({"calls": 0, "cost_usd": "0.0000", "models": {}}));
    assert!(server.post(&script).await.1.contains("message_stop"));
    let mut other = script.clone();
    other["metadata"] = json!({"user_id": "another session"});
    assert!(server.post(&other).await.0.starts_with("http/1.1 529"), "conversations fail apart");
}

#[tokio::test]
async fn a_cut_stream_is_billed_for_its_prompt_alone() {
    let server = Server::start(None).await;
    let script = prompt("<<drop: 1>><<text: one two three four five six>>", true);
    let (_, body) = server.post(&script).await;
    assert!(body.contains("message_start") && body.contains("text_delta") && !body.contains("message_delta"), "{body}");
    let ledger = server.get("/ledger").await;
    let billed = &ledger["models"]["claude-sonnet-4-6"];
    assert!(billed["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!((&ledger["calls"], &billed["output_tokens"]), (&1.into(), &0.into()));
    assert!(server.post(&script).await.1.contains("message_stop"));
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_the_prompt_alone() {
    let server = Server::start(None).await;
    let body = prompt("<<hang: 30>>", true).to_string();
    let head = "POST /v1/messages HTTP/1.1\r\nx-api-key: k";
    let mut lines = BufReader::new(server.send(head, body.as_bytes()).await).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("ping") {}
    drop(lines);
    let ledger = server.get("/ledger").await;
    assert_eq!((&ledger["calls"], &ledger["models"]["claude-sonnet-4-6"]["output_tokens"]), (&1.into(), &0.into()));
}

#[tokio::test]
async fn a_marked_prefix_is_read_from_the_cache_the_second_time() {
    let server = Server::start(None).await;
    let mut body = prompt("<<text: x>>", false);
    body["system"] =
        json!([{"type": "text", "text": "s".repeat(8000), "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    for (written, read) in [(true, false), (false, true)] {
        let answer: Value = serde_json::from_str(&server.post(&body).await.1).unwrap();
        let usage = &answer["usage"];
        assert_eq!(usage["cache_creation"]["ephemeral_1h_input_tokens"].as_u64().unwrap() > 2000, written);
        assert_eq!(usage["cache_read_input_tokens"].as_u64().unwrap() > 2000, read);
    }
}

#[tokio::test]
async fn keys_are_checked_as_the_api_does() {
    let server = Server::start(None).await;
    let body = prompt("<<text: x>>", false).to_string();
    for (header, status, message) in [
        ("x-none: 1", "401", "x-api-key header is required"),
        ("x-api-key: invalid", "401", "invalid x-api-key"),
        ("authorization: Bearer invalid", "401", "invalid x-api-key"),
        ("authorization: Bearer fine", "200", "content"),
    ] {
        let (head, body) = server.exchange(&format!("POST /v1/messages HTTP/1.1\r\n{header}"), body.as_bytes()).await;
        assert!(head.starts_with(&format!("http/1.1 {status}")) && body.contains(message), "{header}: {head} {body}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_reason() {
    let server = Server::start(None).await;
    let (head, body) = server.post(&prompt("<<bsh: ls>>", true)).await;
    assert!(head.starts_with("http/1.1 400") && body.contains("is no directive"), "{body}");
    let (head, body) = server.post(&json!({"model": "m"})).await;
    assert!(head.starts_with("http/1.1 400") && body.contains("missing field `messages`"), "{body}");
    let (head, body) = server.exchange("GET /v2 HTTP/1.1", b"").await;
    assert!(head.starts_with("http/1.1 404") && body.contains("not_found_error"), "{body}");
    let head = "POST /v1/messages HTTP/1.1\r\nx-api-key: k";
    let (head, _) = server.exchange(head, &vec![b' '; 32 * 1024 * 1024 + 1]).await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
}

#[tokio::test]
async fn gzip_is_read() {
    let server = Server::start(None).await;
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zipped, prompt("<<text: done>>", false).to_string().as_bytes()).unwrap();
    let head = "POST /v1/messages HTTP/1.1\r\nx-api-key: k\r\ncontent-encoding: gzip";
    assert!(server.exchange(head, &zipped.finish().unwrap()).await.1.contains("done"));
    let (head, _) = server.exchange(head, b"not gzip").await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
}

#[tokio::test]
async fn the_other_endpoints_answer() {
    let server = Server::start(None).await;
    assert_eq!(server.get("/healthz").await["status"], "ok");
    assert_eq!(server.get("/v1/models/claude-x").await["id"], "claude-x");
    assert_eq!(server.get("/v1/models").await["data"][1]["id"], "claude-sonnet-4-6");
    let head = "POST /v1/messages/count_tokens HTTP/1.1\r\nx-api-key: k";
    let (_, body) = server.exchange(head, prompt("<<text: x>>", false).to_string().as_bytes()).await;
    assert!(serde_json::from_str::<Value>(&body).unwrap()["input_tokens"].as_u64().unwrap() > 10);
    let (head, body) = server.exchange("HEAD / HTTP/1.1", b"").await;
    assert!(head.starts_with("http/1.1 200") && body.is_empty());
}

#[tokio::test]
async fn a_refresh_token_counts_once_and_from_its_client() {
    let server = Server::start(None).await;
    let ask = async |query: &str, header: &str, form: &str| {
        let head = format!("POST /oauth/token{query} HTTP/1.1\r\n{header}");
        let (head, body) = server.exchange(&head, form.as_bytes()).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        (head.starts_with("http/1.1 200"), answer["error"].as_str().map(str::to_owned), answer)
    };
    let form = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
    let refused = |answer: (bool, Option<String>, Value)| (answer.0, answer.1.unwrap());
    let given = ask("?expires_in=60", "x-none: 1", &form("a-refresh-3")).await.2;
    assert_eq!((&given["access_token"], &given["refresh_token"]), (&json!("a-access-4"), &json!("a-refresh-4")));
    assert_eq!(given["expires_in"], 60);
    let again = ask("", "x-none: 1", &form("a-refresh-3")).await;
    assert_eq!(refused(again), (false, "invalid_grant".into()));
    assert!(ask("", "x-none: 1", &form("a-refresh-4")).await.0);
    let (basic, client) = ("authorization: Basic bWU6c2VjcmV0", "&client_id=me&client_secret=secret");
    let unknown = ask("?client=header", "x-none: 1", &(form("b-refresh-1") + client)).await;
    assert_eq!(refused(unknown), (false, "invalid_client".into()));
    assert!(ask("?client=header", basic, &form("b-refresh-1")).await.0);
    let unknown = ask("?client=body", basic, &form("b-refresh-2")).await;
    assert_eq!(refused(unknown), (false, "invalid_client".into()));
    assert!(ask("?client=body", "x-none: 1", &(form("b-refresh-2") + client)).await.0);
}

#[tokio::test]
async fn a_shutdown_lets_answers_end_and_keeps_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let server = Server::start(Some(path.clone())).await;
    let body = prompt("<<slow: 0.5 a b c>>", true).to_string();
    let stream = server.send("POST /v1/messages HTTP/1.1\r\nx-api-key: k", body.as_bytes()).await;
    let mut lines = BufReader::new(stream).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("text_delta") {}
    server.stop().await;
    let mut rest = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        rest += &line;
    }
    assert!(rest.contains("message_stop"), "{rest}");

    let ledger = Server::start(Some(path)).await.get("/ledger").await;
    assert_eq!(ledger["calls"], 1);
    assert!(ledger["models"]["claude-sonnet-4-6"]["output_tokens"].as_u64().unwrap() > 0);
}
