use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use jiff::Timestamp;
use komputer_events::{
    AgentId, Body, Cursor, Event,
    bus::{Address, Credentials, Entry, Retention, Streams},
};
use komputer_tests::socket::Socket;
use tokio::time::Instant;

use crate::summary::Summary;

/// From an event's append to its frame on a socket.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Agents that speak; each is heard by one socket.
    #[arg(long, default_value_t = 100)]
    agents: usize,
    /// Events a second, of all of them together.
    #[arg(long, default_value_t = 1000)]
    rate: usize,
    /// Seconds.
    #[arg(long, default_value_t = 10)]
    seconds: usize,
    /// The api, HOST:PORT.
    #[arg(long)]
    api: String,
    /// Redis, HOST:PORT. Its user and password are in `KOMPUTER_REDIS_USERNAME` and `KOMPUTER_REDIS_PASSWORD`.
    #[arg(long)]
    redis: Address,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let credentials =
        Credentials { username: variable("KOMPUTER_REDIS_USERNAME")?, password: variable("KOMPUTER_REDIS_PASSWORD")? };
    let token = std::env::var("KOMPUTER_TOKEN").ok();
    let streams = Streams::new(&arguments.redis, &credentials)?;
    let each = arguments.rate * arguments.seconds / arguments.agents;
    let mut listeners = Vec::new();
    for index in 0..arguments.agents {
        let socket = Socket::open(&arguments.api, token.as_deref(), "bench", &format!("speaker-{index}"), None).await?;
        listeners.push(tokio::spawn(listen(socket, each)));
    }
    let start = Instant::now();
    let speakers = (0..arguments.agents).map(|index| speak(&streams, index, each, arguments));
    try_join_all(speakers).await?;
    let spoke = start.elapsed();
    let mut delays = Vec::new();
    for listener in listeners {
        delays.extend(tokio::time::timeout(Duration::from_secs(30), listener).await.context("events are missing")???);
    }
    let delays = Summary::of(delays);
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    println!("| event -> socket, {} agents, {} events a second | |", arguments.agents, arguments.rate);
    println!("|---|---|");
    println!("| events, seconds | {}, {:.1} |", delays.count(), spoke.as_secs_f64());
    println!(
        "| p50, p99, max | {:.2} ms, {:.2} ms, {:.2} ms |",
        milliseconds(delays.percentile(50)),
        milliseconds(delays.percentile(99)),
        milliseconds(delays.max())
    );
    Ok(())
}

/// Speaks evenly, starting at a time of its own.
async fn speak(streams: &Streams, index: usize, count: usize, arguments: &Arguments) -> anyhow::Result<()> {
    let agent = AgentId::new("bench", format!("speaker-{index}"))?;
    streams.remove(&agent).await?;
    let pause = Duration::from_secs(1) * u32::try_from(arguments.agents)? / u32::try_from(arguments.rate)?;
    let mut ticks = tokio::time::interval_at(Instant::now() + pause * u32::try_from(index)? / 100, pause);
    let mut last = None;
    for seq in 1..=count as u64 {
        ticks.tick().await;
        let now = Timestamp::now();
        let id = last.unwrap_or(Cursor::START).next(u64::try_from(now.as_millisecond())?);
        // The microsecond of the append travels as text: an event's own time is in milliseconds.
        let body = Body::Text { content: now.as_microsecond().to_string() };
        let event = Event { id, seq, agent: agent.clone(), timestamp: now, task: None, body };
        let entry = Entry { id, json: event.to_json()? };
        streams.append(&agent, "bench", last, &[entry], Retention::default()).await?;
        last = Some(id);
    }
    Ok(())
}

async fn listen(mut socket: Socket, count: usize) -> anyhow::Result<Vec<Duration>> {
    let mut delays = Vec::with_capacity(count);
    while delays.len() < count {
        let event = socket.event().await?.context("the api closed a socket")?;
        let Body::Text { content } = event.body else { continue };
        let delay = Timestamp::now().as_microsecond() - content.parse::<i64>()?;
        delays.push(Duration::from_micros(u64::try_from(delay).unwrap_or_default()));
    }
    Ok(delays)
}
