//! The process: arguments, telemetry, wiring.
use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Parser as _;
use komputer_api::{
    api::{Api, LISTS},
    args::{Args, AuthMode},
    auth::Auth,
    live::{Hub, Places},
    metrics::Metrics,
    routes::routes,
    server,
    watch::Caches,
};
use komputer_events::bus::{Bells, Streams};
use komputer_telemetry::{Health, Registry};
use kube::{Client, Config};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PROGRAM: &str = "komputer-api";
/// For sockets to tell their clients that the process stops.
const FAREWELL: Duration = Duration::from_secs(15);

/// Longer than the apiserver keeps an idle watch open, which is 290 s as we ask for it.
const SILENCE: Duration = Duration::from_mins(5);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _telemetry = komputer_telemetry::init(PROGRAM);
    args.validate()?;
    installed.map_err(|_| anyhow::anyhow!("another TLS provider was installed first"))?;
    let shutdown = CancellationToken::new();
    tokio::spawn(cancel_on_signal(shutdown.clone())?);
    let (health, registry) = (Health::default(), Registry::new(PROGRAM));
    let api = start(&args, &registry, health.clone(), shutdown.clone()).await?;
    let listener = bind(args.listen).await?;
    tracing::info!(address = %listener.local_addr()?, auth = ?args.auth, "serving");
    tokio::select! {
        () = run(listener, &args, api) => tracing::info!("stopped"),
        failed = komputer_telemetry::serve(args.metrics_listen, health, registry, std::future::pending()) => failed?,
    }
    Ok(())
}

/// Until told to stop; then until requests are answered and sockets closed.
async fn run(listener: TcpListener, args: &Args, api: Api) {
    server::serve(listener, routes(&api), args.connection_limits(), api.shutdown.clone()).await;
    api.sessions.close();
    if tokio::time::timeout(FAREWELL, api.sessions.wait()).await.is_err() {
        tracing::warn!(sockets = api.sessions.len(), "sockets took too long to close and are dropped");
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}; choose another --listen"))
}

async fn start(args: &Args, registry: &Registry, health: Health, shutdown: CancellationToken) -> anyhow::Result<Api> {
    let credentials = args.credentials()?;
    let client = client().await?;
    let auth = match args.auth {
        AuthMode::Kubernetes => Auth::kubernetes(client.clone()),
        AuthMode::None => Auth::None,
    };
    let metrics = Metrics::new(registry);
    let streams = Streams::new(&args.redis_address, &credentials)?;
    let rings = Bells::listen(&args.redis_address, &credentials);
    Ok(Api {
        auth,
        caches: Caches::start(&client, &health),
        hub: Hub::start(streams.clone(), rings, metrics.clone()),
        streams,
        places: Places::new(args.max_sockets, args.max_sockets_per_caller),
        lists: Arc::new(Semaphore::new(LISTS)),
        limits: args.socket_limits(),
        metrics,
        health,
        shutdown,
        sessions: TaskTracker::new(),
    })
}

/// A connection to the cluster that notices when nobody is at the other end.
async fn client() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context("no Kubernetes cluster: run in a pod, or set KUBECONFIG")?;
    config.read_timeout = Some(SILENCE);
    Ok(Client::try_from(config)?)
}

fn cancel_on_signal(shutdown: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        shutdown.cancel();
    })
}
