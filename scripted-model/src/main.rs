//! The `scripted-model` program.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use clap::Parser;
use scripted_model::Config;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// A Messages API whose prompt is the script.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "SCRIPTED_MODEL_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Go on from the ledger in this file, and append to it.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,

    /// An API key to answer with 401; may be repeated.
    #[arg(long, value_name = "KEY", default_value = "invalid")]
    reject_key: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let _telemetry = komputer_telemetry::init("scripted-model");
    let arguments = Arguments::parse();
    // Installed before anything is served: PID 1 has no default handlers, and would ignore the signals.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
    };
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!("scripted model on http://{}", listener.local_addr()?);
    let config = Config { rejected_keys: arguments.reject_key, ledger: arguments.ledger };
    scripted_model::serve(listener, config, shutdown).await.context("cannot use the ledger file")
}
