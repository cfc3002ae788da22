//! Every event, once, in order: over one socket and over many.
use std::collections::BTreeSet;

use anyhow::Context;
use komputer_events::{Body, Event};
use komputer_tests::{agents::agent, node::Node, socket::Socket};

#[tokio::test]
async fn a_socket_opened_before_the_agent_hears_it_from_the_first_event_on() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("sockets").await?;
    let token = node.token(&namespace, "reader", Some("komputer-view")).await?;
    let api = node.service("komputer-api").await?;
    let mut socket = Socket::open(&api, Some(&token), &namespace, "ada", None).await?;

    let script = "<<times: 20 bash: echo {n}>> <<text: all done>>";
    node.apply(&agent(&namespace, "ada", script)).await?;
    let heard = until_the_end(&mut socket).await?;
    let seqs: Vec<u64> = heard.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "from the first, in order, without a gap");
    assert!(heard.windows(2).all(|pair| pair[0].id < pair[1].id));
    let calls = heard.iter().filter(|event| matches!(event.body, Body::ToolCall { .. })).count();
    assert_eq!(calls, 20);

    let resumed = cut_ten_times(&api, &token, &namespace, &heard).await?;
    assert_eq!(resumed, heard, "cut and resumed ten times, it is the same");
    node.remove_namespace(&namespace).await
}

async fn until_the_end(socket: &mut Socket) -> anyhow::Result<Vec<Event>> {
    let mut heard = Vec::new();
    loop {
        let event = socket.event().await?.context("the api closed the socket")?;
        let last = event.body.is_terminal();
        heard.push(event);
        if last {
            return Ok(heard);
        }
    }
}

/// Cuts at points that differ from run to run.
async fn cut_ten_times(api: &str, token: &str, namespace: &str, all: &[Event]) -> anyhow::Result<Vec<Event>> {
    let mut random = usize::try_from(jiff::Timestamp::now().as_nanosecond() & 0xffff_ffff)?;
    let mut cuts = BTreeSet::new();
    while cuts.len() < 10 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        cuts.insert(1 + (random >> 33) % (all.len() - 1));
    }
    let (mut heard, mut after) = (Vec::<Event>::new(), "0".to_owned());
    for cut in cuts.into_iter().chain([all.len()]) {
        let mut socket = Socket::open(api, Some(token), namespace, "ada", Some(&after)).await?;
        while heard.len() < cut {
            let event = socket.event().await?.context("the api closed the socket")?;
            after = event.id.to_string();
            heard.push(event);
        }
        drop(socket);
    }
    Ok(heard)
}
