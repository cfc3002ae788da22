//! Puts the parts together, and takes them down in order.
use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use komputer_events::{Body, bus::Streams};
use rustls::crypto::aws_lc_rs;
use secrecy::SecretString;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    children::Children,
    config::Config,
    gateway::{Desk, Gateway},
    journal::{Bounds, Journal},
    publisher::Publisher,
    runtime::claude::Installation,
    server::Server,
    tasks::{Queue, Store, Worker},
    workspace::Workspace,
};

/// How long the last events may take to reach Redis; what does not waits in the journal for the next start.
const FLUSH: Duration = Duration::from_secs(3);

/// Runs the agent until it is told to stop.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let mut stops = Stops::listen()?;
    aws_lc_rs::default_provider().install_default().map_err(|_| anyhow!("another TLS provider was installed first"))?;
    let workspace = Workspace::open(&config.workspace)?;
    let children = Children::supervise().context("cannot watch over child processes")?;
    let journal = Arc::new(Journal::open(&workspace.journal(), config.agent.clone(), Bounds::default())?);
    let queue = Arc::new(Queue::open(Store::new(workspace.tasks()), journal.clone())?);
    let stop = CancellationToken::new();

    let desk = Arc::new(Desk::default());
    let gateway_token = SecretString::from(Uuid::new_v4().simple().to_string());
    // Ends with the process: what is under way may still call the model until it is suspended.
    let gateway = Gateway::start(config.model, gateway_token.clone(), desk.clone()).await?;
    let installation = Installation {
        claude: config.claude,
        workspace: workspace.root().to_owned(),
        config: workspace.claude(),
        gateway,
        gateway_token,
        user_secrets: config.user_secrets,
    };
    let session = Uuid::new_v5(&Uuid::NAMESPACE_OID, config.uid.as_bytes());
    let (worker_queue, worker_journal, worker_stop) = (queue.clone(), journal.clone(), stop.child_token());
    let worker = Worker {
        queue: worker_queue,
        journal: worker_journal,
        desk,
        children,
        installation,
        session,
        stop: worker_stop,
    };
    let streams = Streams::new(&config.redis, &config.redis_credentials)?;
    let publisher = Publisher { journal: journal.clone(), streams, agent: config.agent.clone(), uid: config.uid };

    let address = Server::new(queue, journal.clone(), config.token).start(config.listen, stop.clone()).await?;
    journal.append(None, Body::Lifecycle { state: "ready".into() })?;
    let publishing = tokio::spawn(publisher.run());
    tracing::info!(agent = %config.agent, %address, "ready");

    let working = worker.run();
    tokio::pin!(working);
    let worked = tokio::select! {
        worked = &mut working => worked,
        () = stops.next() => {
            tracing::info!("stopping");
            stop.cancel();
            working.await
        }
    };
    stop.cancel();
    journal.append(None, Body::Lifecycle { state: "stopping".into() })?;
    if tokio::time::timeout(FLUSH, journal.published()).await.is_err() {
        tracing::warn!(events = journal.unpublished(), "events wait in the journal until the agent starts again");
    }
    publishing.abort();
    Ok(worked?)
}

/// What asks the process to end.
struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
