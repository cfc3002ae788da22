//! The one process in an agent's pod: supervisor, Claude Code client, model gateway, journal, publisher, HTTP server.
mod children;
mod config;
mod connectors;
mod gateway;
mod http;
mod journal;
mod knowledge;
mod mcp;
mod office;
mod publisher;
mod runtime;
mod secret;
mod server;
mod supervisor;
mod tasks;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

/// One thread: the agent waits far more than it works, and an idle agent is to cost next to nothing.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let hidden = secret::hide_this_process();
    let _telemetry = komputer_telemetry::init("komputer-agent");
    hidden?;
    supervisor::run(config::Arguments::parse().with_environment()?).await
}
