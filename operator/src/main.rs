//! The operator's process: arguments, telemetry, wiring.
mod arguments;
mod declarations;
mod watches;
mod wiring;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let _telemetry = komputer_telemetry::init("komputer-operator");
    Box::pin(wiring::run(arguments::Arguments::parse())).await
}
