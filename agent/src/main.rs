//! The one process in an agent's pod: supervisor, Claude Code client, model gateway, journal, publisher, HTTP server.
mod children;
mod config;
mod gateway;
mod http;
mod journal;
mod publisher;
mod runtime;
mod secret;
mod server;
mod supervisor;
mod tasks;
mod workspace;

use clap::Parser as _;

/// One thread: the agent waits far more than it works, and an idle agent is to cost next to nothing.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    secret::hide_this_process()?;
    komputer_telemetry::init("komputer-agent");
    let config = config::Arguments::parse().with_environment()?;
    supervisor::run(config).await
}
