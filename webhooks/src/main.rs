//! Serves komputer's webhooks.
use std::{future::pending, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use komputer_telemetry::{Health, Registry};
use komputer_webhooks::{
    Admits, Metrics, Objects, References,
    certificates::{Followed, Follower, Keeper, Lifetimes, Settings, Target},
    routes,
    tls::{HotCertificate, Limits, client_authority, serve, server_config},
};
use kube::{Client, ResourceExt as _};
use tokio::{
    net::TcpListener,
    signal::unix::{self, SignalKind},
    time,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROGRAM: &str = "komputer-webhooks";
/// How often certificates are looked at while nothing changes.
const TICK: Duration = Duration::from_mins(5);

/// Who keeps the certificate.
#[derive(Clone, Copy, ValueEnum)]
enum Certificates {
    /// This program, which makes and renews it and writes every caBundle.
    Own,
    /// Somebody else, like cert-manager, who keeps it in a Secret and writes every caBundle.
    Secret,
}

/// Conversion and admission webhooks of komputer.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The address that the apiserver calls.
    #[arg(long, env = "KOMPUTER_WEBHOOKS_LISTEN", default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// The address of /healthz, /readyz and /metrics.
    #[arg(long, env = "KOMPUTER_WEBHOOKS_HEALTH", default_value = "0.0.0.0:8080")]
    health: SocketAddr,
    /// The namespace of the Service and of the Secret with the certificates.
    #[arg(long, env = "POD_NAMESPACE", default_value = "komputer-system")]
    namespace: String,
    /// The Service's name.
    #[arg(long, env = "KOMPUTER_WEBHOOKS_SERVICE", default_value = PROGRAM)]
    service: String,
    /// The ValidatingWebhookConfiguration's name.
    #[arg(long, env = "KOMPUTER_WEBHOOKS_CONFIGURATION", default_value = PROGRAM)]
    configuration: String,
    /// Who keeps the certificate.
    #[arg(long, env = "KOMPUTER_WEBHOOKS_CERTIFICATES", value_enum, default_value = "own")]
    certificates: Certificates,
    /// The Secret that somebody else keeps it in, as tls.crt and tls.key.
    #[arg(long, env = "KOMPUTER_WEBHOOKS_SECRET", default_value = "komputer-webhooks-tls")]
    secret: String,
    /// More host names or addresses for the certificate, where the apiserver calls by URL.
    #[arg(long = "host", env = "KOMPUTER_WEBHOOKS_HOSTS", value_delimiter = ',')]
    hosts: Vec<String>,
    /// A file of PEM certificates: who asks for admission shows a certificate of one of these authorities. Without it,
    /// whoever reaches the server may ask.
    #[arg(long, env = "KOMPUTER_WEBHOOKS_CLIENT_CA")]
    client_ca: Option<PathBuf>,
    /// Seconds to go on serving after being told to stop, until no apiserver calls any more.
    #[arg(long, env = "KOMPUTER_WEBHOOKS_LINGER_SECONDS", default_value_t = 10)]
    linger_seconds: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _telemetry = komputer_telemetry::init(PROGRAM);
    let arguments = Arguments::parse();
    let (health, registry) = (Health::default(), Registry::new(PROGRAM));
    let metrics = Metrics::new(&registry);
    let client = Client::try_default().await.context("no access to a cluster; set KUBECONFIG or run in a pod")?;

    let served = Arc::new(HotCertificate::default());
    let trusted = health.check("certificates");
    let keeping = match arguments.certificates {
        Certificates::Own => {
            let keeper = Keeper::new(client.clone(), own(&arguments)?, served.clone(), trusted, metrics.clone());
            tokio::spawn(keeper.run())
        }
        Certificates::Secret => {
            let follower =
                Follower::new(client.clone(), followed(&arguments)?, served.clone(), trusted, metrics.clone());
            tokio::spawn(follower.run())
        }
    };
    let clients = arguments.client_ca.as_ref().map(client_authority).transpose()?;
    let admits = if clients.is_some() { Admits::Verified } else { Admits::Anybody };
    let tls = server_config(served, clients)?;
    let (objects, watching_objects) = Objects::watch(&client);
    let routes = routes(Arc::new(References::new(objects)), admits, metrics);
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}; choose another address with --listen", arguments.listen))?;
    tracing::info!(address = %arguments.listen, "serving webhooks");

    let serving = health.check("serving");
    serving.pass();
    let stop = async {
        terminated().await;
        serving.fail("stopping");
        time::sleep(Duration::from_secs(arguments.linger_seconds)).await;
    };
    let endpoints = komputer_telemetry::serve(arguments.health, health.clone(), registry, pending());
    tokio::select! {
        () = serve(listener, tls, routes, Limits::default(), stop) => Ok(()),
        result = endpoints => result.context("health and metrics are not served"),
        ended = keeping => bail!("the certificates are not kept any more: {ended:?}"),
        ended = tokio::spawn(watching_objects) => bail!("objects are not watched any more: {ended:?}"),
    }
}

fn own(arguments: &Arguments) -> anyhow::Result<Settings> {
    Ok(Settings {
        namespace: arguments.namespace.clone(),
        names: names(arguments),
        targets: targets(arguments)?,
        lifetimes: Lifetimes::default(),
        tick: TICK,
    })
}

fn followed(arguments: &Arguments) -> anyhow::Result<Followed> {
    Ok(Followed {
        namespace: arguments.namespace.clone(),
        secret: arguments.secret.clone(),
        names: names(arguments),
        targets: targets(arguments)?,
        tick: TICK,
    })
}

/// The names, and addresses, that the apiserver calls.
fn names(Arguments { namespace, service, hosts, .. }: &Arguments) -> Vec<String> {
    let names = [format!("{service}.{namespace}.svc"), format!("{service}.{namespace}"), service.clone()];
    names.into_iter().chain(hosts.iter().cloned()).collect()
}

/// The objects that tell the apiserver whom to trust.
fn targets(arguments: &Arguments) -> anyhow::Result<Vec<Target>> {
    let definitions = komputer_crds::definitions()?.into_iter();
    let converted = definitions.filter(|definition| definition.spec.conversion.is_some());
    let definitions = converted.map(|definition| Target::Definition(definition.name_any()));
    Ok(definitions.chain([Target::Configuration(arguments.configuration.clone())]).collect())
}

/// Completes when the process is told to stop.
async fn terminated() {
    let signal = |kind| async move {
        match unix::signal(kind) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => pending().await,
        }
    };
    tokio::select! {
        () = signal(SignalKind::terminate()) => {}
        () = signal(SignalKind::interrupt()) => {}
    }
}
