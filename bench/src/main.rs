//! Measures komputer, each number beside its peer in one run. `make bench` prints the tables.
mod agents;
mod events;
mod life;
mod operator;
mod process;
mod summary;
mod webhooks;

use clap::{Parser, Subcommand};

/// That of the programs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures komputer.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Applies agents and waits for their pods: the operator beside a bare client that writes the same objects.
    Agents(agents::Arguments),
    /// From an event's append to its frame on a socket.
    Events(events::Arguments),
    /// From `kubectl apply` to an agent's first event, readiness and answer.
    Life(life::Arguments),
    /// Asks the webhooks, alone and through the apiserver, beside the apiserver without them.
    Webhooks(webhooks::Arguments),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    match Arguments::parse().what {
        What::Agents(arguments) => agents::run(&arguments).await,
        What::Events(arguments) => events::run(&arguments).await,
        What::Life(arguments) => life::run(&arguments).await,
        What::Webhooks(arguments) => webhooks::run(&arguments).await,
    }
}
