//! Shows an agent's events as they come, until its task ends: what `make up` prints. The token is `KOMPUTER_TOKEN`.
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use komputer_events::{Body, Event};
use komputer_tests::socket::Socket;

/// Shows an agent's events as they come, until its task ends.
#[derive(Parser)]
struct Arguments {
    /// The api, HOST:PORT.
    #[arg(long)]
    api: String,
    /// The agent's namespace.
    #[arg(long, default_value = "default")]
    namespace: String,
    /// Gives up after that many seconds.
    #[arg(long, default_value_t = 180)]
    patience: u64,
    /// The agent.
    agent: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let token = std::env::var("KOMPUTER_TOKEN").context("KOMPUTER_TOKEN is not set")?;
    match tokio::time::timeout(Duration::from_secs(arguments.patience), watch(&arguments, &token)).await {
        Ok(result) => result,
        Err(_) => bail!("the agent's task has not ended within {} s", arguments.patience),
    }
}

async fn watch(arguments: &Arguments, token: &str) -> anyhow::Result<()> {
    let (mut after, mut seq) = (String::from("0"), 0);
    loop {
        let mut socket = connect(arguments, token, &after).await;
        while let Ok(Some(event)) = socket.event().await {
            if event.seq <= seq {
                continue;
            }
            seq = event.seq;
            after = event.id.to_string();
            if show(&event)? {
                return Ok(());
            }
        }
    }
}

async fn connect(arguments: &Arguments, token: &str, after: &str) -> Socket {
    loop {
        match Socket::open(&arguments.api, Some(token), &arguments.namespace, &arguments.agent, Some(after)).await {
            Ok(socket) => return socket,
            Err(error) => {
                eprintln!("waiting for the api: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Prints one event on one line; whether it was the task's last.
fn show(event: &Event) -> anyhow::Result<bool> {
    let time = event.timestamp.strftime("%H:%M:%S%.3f");
    let line = |kind: &str, text: &str| println!("{time}  {kind:<14} {}", text.replace('\n', "\n               "));
    match &event.body {
        Body::Lifecycle { state } => line("agent", state),
        Body::TaskStarted { instructions, model, .. } => {
            line("task started", &format!("[{model}] {}", instructions.trim()));
        }
        Body::Thinking { content } => line("thinking", content),
        Body::Text { content } => line("text", content),
        Body::ToolCall { tool, input, .. } => line("tool call", &format!("{tool} {input}")),
        Body::ToolResult { output, .. } => line("tool result", output.trim_end()),
        Body::Usage { usage, cost_usd, .. } => line(
            "usage",
            &format!(
                "{} in, {} out, ${cost_usd}",
                usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
                usage.output_tokens,
            ),
        ),
        Body::Budget { state, budget, .. } => line("budget", &format!("{budget}: {state}")),
        Body::ApiRetry { error, attempt, .. } => line("retry", &format!("{attempt}: {error}")),
        Body::TaskRetry { error, attempt, .. } => line("task retry", &format!("{attempt}: {error}")),
        Body::TaskCompleted(outcome) => {
            line("task completed", &format!("{} calls, {} ms", outcome.turns, outcome.duration_ms));
            return Ok(true);
        }
        Body::TaskCancelled { reason } => {
            line("task cancelled", reason);
            return Ok(true);
        }
        Body::Error { error, reason } => bail!("the task failed ({reason}): {error}"),
        _ => {}
    }
    Ok(false)
}
