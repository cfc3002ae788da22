use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use komputer_events::{Body, Event};
use komputer_tests::{
    agents::{agent, ready},
    node::Node,
    socket::Socket,
};
use tokio::time::Instant;

use crate::{process, summary::Summary};

/// One agent after the other on a whole node: from `kubectl apply` to its first event, its readiness and its answer.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many.
    #[arg(long, default_value_t = 20)]
    agents: usize,
}

const NAMESPACE: &str = "bench-life";
/// What an idle agent settles to: it has worked before and waits.
const SETTLE: Duration = Duration::from_secs(5);

/// Moments of one agent's life, since it was applied.
struct Life {
    first_event: Duration,
    /// From when the agent said that it is ready to when a socket heard it.
    travel: Duration,
    ready: Duration,
    answer: Duration,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace(NAMESPACE).await?;
    let token = node.token(&namespace, "reader", Some("komputer-view")).await?;
    let mut lives = Vec::new();
    for index in 0..arguments.agents {
        lives.push(live(&node, &token, &namespace, &format!("agent-{index}")).await?);
    }
    tokio::time::sleep(SETTLE).await;
    let idle = process::resident("komputer-agent")?;
    ensure!(idle.len() == arguments.agents, "{} agents run, not {}", idle.len(), arguments.agents);
    let most = idle.iter().copied().fold(0.0, f64::max);

    let row = |what: &str, of: fn(&Life) -> Duration| {
        let summary = Summary::of(lives.iter().map(of).collect());
        let [p50, p99, max] = [summary.percentile(50), summary.percentile(99), summary.max()].map(milliseconds);
        println!("| {what}: p50, p99, max | {p50:.0} ms, {p99:.0} ms, {max:.0} ms |");
    };
    println!("| measure ({} agents, one after the other, a whole node, image present) | |", arguments.agents);
    println!("|---|---|");
    row("apply -> agent's first event on a socket opened before", |life| life.first_event);
    row("agent ready -> that event on the socket", |life| life.travel);
    row("apply -> Ready", |life| life.ready);
    row("apply -> the task's last event (scripted model, real CLI)", |life| life.answer);
    println!("| idle agent process after a task, RSS, the largest | {most:.1} MB |");
    node.remove_namespace(&namespace).await
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

async fn live(node: &Node, token: &str, namespace: &str, name: &str) -> anyhow::Result<Life> {
    let api = node.service("komputer-api").await?;
    let mut socket = Socket::open(&api, Some(token), namespace, name, None).await?;
    let object = agent(namespace, name, "<<bash: true>> <<text: done>>");
    let start = Instant::now();
    node.apply(&object).await?;
    let is_ready = async {
        node.agent_where(namespace, name, |agent| ready(agent).is_some_and(|(status, ..)| status == "True")).await?;
        anyhow::Ok(start.elapsed())
    };
    let heard = async {
        let first = event(&mut socket).await?;
        let travel = Timestamp::now().duration_since(first.timestamp).unsigned_abs();
        let first_event = start.elapsed();
        ensure!(matches!(first.body, Body::Lifecycle { .. }), "the first event is {:?}", first.body);
        while !event(&mut socket).await?.body.is_terminal() {}
        anyhow::Ok((first_event, travel, start.elapsed()))
    };
    let (ready, (first_event, travel, answer)) = tokio::try_join!(is_ready, heard)?;
    Ok(Life { first_event, travel, ready, answer })
}

async fn event(socket: &mut Socket) -> anyhow::Result<Event> {
    socket.event().await?.context("the api closed a socket")
}
