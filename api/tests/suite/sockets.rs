//! Events over sockets, through the whole process.
use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use komputer_events::Cursor;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    client::{Client, Socket},
    cluster::agent,
    redis::Producer,
    server::Server,
};

fn said(producer: &Producer) -> Vec<String> {
    producer.said.iter().map(|entry| entry.json.clone()).collect()
}

fn cursor(frame: &str) -> String {
    serde_json::from_str::<Value>(frame).unwrap()["id"].as_str().unwrap().to_owned()
}

fn reader(server: &Server, namespace: &str) -> Client {
    server.cluster.namespace(namespace);
    server.client(&server.cluster.token(namespace, "reader", Some("komputer-view")))
}

#[tokio::test]
async fn a_socket_opened_before_the_agent_exists_hears_everything_in_order() {
    let server = Server::start(&[]).await;
    let reader = reader(&server, "early");
    let mut socket = reader.socket("agents/ada/ws?namespace=early").await.unwrap();
    let mut ada = Producer::new(&server.redis, "early", "ada");
    let mut namesake = Producer::new(&server.redis, "other", "ada");
    for round in 1..=20 {
        ada.say(round).await;
        namesake.say(1).await;
    }
    assert_eq!(socket.take(210).await, said(&ada));
    // From now on means from now on, also where nobody has listened before.
    let mut late = reader.socket("agents/ada/ws?namespace=early").await.unwrap();
    let mut first = Producer::new(&server.redis, "early", "bob");
    first.say(30).await;
    let mut bob = reader.socket("agents/bob/ws?namespace=early").await.unwrap();
    ada.say(2).await;
    first.say(2).await;
    assert_eq!(late.take(2).await, said(&ada)[210..]);
    assert_eq!(bob.take(2).await, said(&first)[30..]);
}

#[tokio::test]
async fn cut_and_resumed_ten_times_a_stream_is_the_same() {
    let server = Server::start(&[]).await;
    let reader = reader(&server, "cut");
    let mut ada = Producer::new(&server.redis, "cut", "ada");
    let mut random = std::process::id() as usize;
    let (mut heard, mut after) = (Vec::new(), "0".to_owned());
    for _ in 0..10 {
        let mut socket = reader.socket(&format!("agents/ada/ws?namespace=cut&after={after}")).await.unwrap();
        ada.say(50).await;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = 1 + (random >> 33) % (ada.said.len() - heard.len());
        heard.extend(socket.take(part).await);
        after = cursor(heard.last().unwrap());
    }
    let mut socket = reader.socket(&format!("agents/ada/ws?namespace=cut&after={after}")).await.unwrap();
    heard.extend(socket.take(ada.said.len() - heard.len()).await);
    assert_eq!(heard, said(&ada));
}

#[tokio::test]
async fn a_browser_shows_its_token_as_a_subprotocol() {
    let server = Server::start(&[]).await;
    server.cluster.namespace("browser");
    let token = BASE64_URL_SAFE_NO_PAD.encode(server.cluster.token("browser", "reader", Some("komputer-view")));
    let browser = server.stranger();
    let path = "agents/ada/ws?namespace=browser";
    let (mut socket, protocol) = browser.browser_socket(path, &format!("komputer.v1, bearer.{token}")).await.unwrap();
    assert_eq!(protocol, "komputer.v1");
    let mut ada = Producer::new(&server.redis, "browser", "ada");
    ada.say(1).await;
    assert_eq!(socket.take(1).await, said(&ada));
    assert_eq!(browser.browser_socket(path, &format!("bearer.{token}")).await.err().unwrap().status(), 400);
    assert_eq!(browser.browser_socket(path, "komputer.v1").await.err().unwrap().status(), 401);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_where_to_go_on_and_delays_nobody() {
    let server = Server::start(&["--queue-bytes=100000"]).await;
    let reader = reader(&server, "slow");
    let path = "agents/ada/ws?namespace=slow";
    let (mut slow, mut quick) = (reader.socket(path).await.unwrap(), reader.socket(path).await.unwrap());
    let mut ada = Producer::new(&server.redis, "slow", "ada");
    ada.retention.events = 100_000;
    let mut kept = Vec::new();
    for _ in 0..400 {
        ada.say(100).await;
        kept.extend(quick.take(100).await);
    }
    assert_eq!(kept, said(&ada));
    let mut heard = Vec::new();
    let (code, reason) = loop {
        match slow.next().await {
            Ok(frame) => heard.push(frame),
            Err(close) => break close,
        }
    };
    assert_eq!(code, 1013, "{reason}");
    let after = cursor(heard.last().unwrap());
    assert_eq!(reason, format!("slow: resume with ?after={after}"));
    let mut resumed = reader.socket(&format!("{path}&after={after}")).await.unwrap();
    heard.extend(resumed.take(ada.said.len() - heard.len()).await);
    assert_eq!(heard, said(&ada));
}

#[tokio::test]
async fn what_redis_no_longer_has_is_told() {
    let server = Server::start(&[]).await;
    let reader = reader(&server, "gap");
    let mut ada = Producer::new(&server.redis, "gap", "ada");
    ada.retention.events = 100;
    for _ in 0..10 {
        ada.say(100).await;
    }
    let kept = server.redis.streams().after(&ada.agent, None, Cursor::START, 1_000).await.unwrap().entries;
    let mut socket = reader.socket("agents/ada/ws?namespace=gap&after=0").await.unwrap();
    let gap: Value = serde_json::from_str(&socket.next().await.unwrap()).unwrap();
    assert_eq!(gap, json!({"type": "gap", "payload": {"after": "0-0", "next": kept[0].id}}));
    assert_eq!(socket.take(kept.len()).await, said(&ada)[1_000 - kept.len()..]);
}

#[tokio::test]
async fn places_are_limited_and_come_back() {
    let server = Server::start(&["--max-sockets-per-caller=2", "--max-sockets=3"]).await;
    let reader = reader(&server, "places");
    let other = server.client(&server.cluster.token("places", "other", Some("komputer-view")));
    let path = "agents/ada/ws?namespace=places";
    let open: Vec<Socket> = vec![reader.socket(path).await.unwrap(), reader.socket(path).await.unwrap()];
    assert_eq!(reader.socket(path).await.err().unwrap().status(), 429);
    let _third = other.socket(path).await.unwrap();
    assert_eq!(other.socket(path).await.err().unwrap().status(), 429);
    drop(open);
    until_let_in(&reader, path).await;
}

/// Opens a socket as soon as there is a place for it.
async fn until_let_in(reader: &Client, path: &str) -> Socket {
    for _ in 0..600 {
        match reader.socket(path).await {
            Ok(socket) => return socket,
            Err(refused) => assert_eq!(refused.status(), 429),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no place becomes free");
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_or_talks_too_much_is_cut_off() {
    let server = Server::start(&["--ping-seconds=1", "--max-sockets-per-caller=1"]).await;
    let reader = reader(&server, "pings");
    let path = "agents/ada/ws?namespace=pings";
    // Not polled, so it answers no ping; its place is free again once the server has noticed.
    let mute = reader.socket(path).await.unwrap();
    let mut talker = until_let_in(&reader, path).await;
    drop(mute);
    for _ in 0..200 {
        talker.say(Message::text("hello?")).await;
    }
    assert_eq!(talker.end().await.0, 1008);
    let mut shouter = until_let_in(&reader, path).await;
    shouter.say(Message::text("x".repeat(5_000))).await;
    assert_eq!(shouter.end().await.0, 1008);
}

#[tokio::test]
async fn when_it_is_told_to_stop_it_says_goodbye() {
    let mut server = Server::start(&[]).await;
    let reader = reader(&server, "stop");
    let mut sockets = Vec::new();
    for agent in ["ada", "bob"] {
        sockets.push(reader.socket(&format!("agents/{agent}/ws?namespace=stop")).await.unwrap());
    }
    let goodbyes = async {
        for socket in &mut sockets {
            assert_eq!(socket.end().await.0, 1001);
            // Answers the close frame.
            while socket.next().await.is_ok() {}
        }
    };
    let (status, ()) = tokio::join!(server.terminate(), goodbyes);
    assert!(status.success());
}

#[tokio::test]
async fn from_now_on_is_after_what_is_known_also_while_redis_is_refilled() {
    let mut server = Server::start(&[]).await;
    let reader = reader(&server, "refilled");
    let mut ada = Producer::new(&server.redis, "refilled", "ada");
    ada.say(10).await;
    server.cluster.apply(&agent("refilled", "ada", &json!({}), &json!({})));
    server.cluster.set_status("komputeragent", "refilled", "ada", &json!({"cursor": ada.said[9].id}));
    let known = || async { reader.get("agents/ada?namespace=refilled").await.body["cursor"] == json!(ada.said[9].id) };
    while !known().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.redis.replace().await;
    let mut socket = until_open(&reader, "agents/ada/ws?namespace=refilled").await;
    ada.refill().await;
    ada.say(1).await;
    assert_eq!(socket.take(1).await, said(&ada)[10..]);
}

/// Opens a socket as soon as Redis answers.
async fn until_open(reader: &Client, path: &str) -> Socket {
    loop {
        match reader.socket(path).await {
            Ok(socket) => return socket,
            Err(refused) => assert_eq!(refused.status(), 503),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
