//! The operator's process: arguments and telemetry.
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// It waits for the apiserver most of the time: with two threads, much of its CPU was them waking each other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let _telemetry = komputer_telemetry::init("komputer-operator");
    Box::pin(komputer_operator::run(komputer_operator::Arguments::parse())).await
}
