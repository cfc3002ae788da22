//! Puts the parts together, and takes them down in order.
use std::{pin::pin, sync::Arc, time::Duration};

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
    connectors::Connectors,
    gateway::{Desk, Gateway},
    journal::{Bounds, Journal, JournalError},
    knowledge::Known,
    office::Requests,
    publisher::Publisher,
    runtime::claude::Installation,
    server::Server,
    tasks::{Allowances, Queue, Store, WorkError, Worker},
    workspace::Workspace,
};

/// How long the last events may take to reach Redis; what does not waits in the journal for the next start.
const FLUSH: Duration = Duration::from_secs(3);

/// Runs the agent until it is told to stop.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let mut stops = Stops::listen()?;
    aws_lc_rs::default_provider().install_default().map_err(|_| anyhow!("another TLS provider was installed first"))?;
    let stop = CancellationToken::new();
    let Agent { journal, worker, publisher, workspace: _locked } = Agent::start(config, &stop).await?;
    let (mut working, mut publishing) = (pin!(worker.run()), pin!(publisher.run()));
    let end = tokio::select! {
        worked = &mut working => End::Worked(worked),
        error = &mut publishing => End::Unpublished(error),
        () = stops.next() => End::Told,
    };
    stop.cancel();
    match end {
        End::Worked(worked) => worked?,
        End::Unpublished(error) => {
            working.await?;
            return Err(error.into());
        }
        End::Told => {
            tracing::info!("stopping");
            working.await?;
        }
    }
    journal.append(None, Body::Lifecycle { state: "stopping".into() })?;
    tokio::select! {
        () = journal.published() => Ok(()),
        error = publishing => Err(error.into()),
        () = tokio::time::sleep(FLUSH) => {
            tracing::warn!(events = journal.unpublished(), "events wait in the journal until the agent starts again");
            Ok(())
        }
    }
}

/// Why the process ends.
enum End {
    /// The worker cannot go on.
    Worked(Result<(), WorkError>),
    /// The publisher cannot go on.
    Unpublished(JournalError),
    /// It was told to.
    Told,
}

/// The parts that are at work.
struct Agent {
    journal: Arc<Journal>,
    worker: Worker,
    publisher: Publisher,
    workspace: Workspace,
}

impl Agent {
    /// Takes up what the last process left, starts serving and says that the agent is ready.
    async fn start(config: Config, stop: &CancellationToken) -> anyhow::Result<Self> {
        let workspace = Workspace::open(&config.workspace)?;
        let children = Children::supervise().context("cannot watch over child processes")?;
        let journal = Arc::new(Journal::open(&workspace.journal(), config.agent.clone(), Bounds::default())?);
        let queue = Arc::new(Queue::open(Store::new(workspace.tasks()), journal.clone())?);
        let streams = Streams::new(&config.redis, &config.redis_credentials)?;

        let desk = Arc::new(Desk::default());
        let gateway_token = SecretString::from(Uuid::new_v4().simple().to_string());
        let installation = Installation {
            claude: config.claude,
            workspace: workspace.root().to_owned(),
            config: workspace.claude(),
            gateway: Gateway::start(config.model, gateway_token.clone(), desk.clone()).await?,
            gateway_token,
            user_secrets: config.user_secrets,
        };
        let known = Arc::new(Known::open(workspace.knowledge(), workspace.claude().join("skills"))?);
        let allowances = Arc::new(Allowances::open(workspace.allowance())?);
        let requests = Arc::new(Requests::new(journal.clone()));
        let office = config.is_manager.then(|| requests.clone());
        let connectors = Arc::new(Connectors::new(config.sealing_key, known.clone()));
        let server = Server::new(
            queue.clone(),
            journal.clone(),
            known.clone(),
            requests,
            allowances.clone(),
            connectors.clone(),
            config.token,
        );
        let address = server.start(config.listen, stop.clone()).await?;
        journal.append(None, Body::Lifecycle { state: "ready".into() })?;
        tracing::info!(agent = %config.agent, %address, "ready");

        let session = Uuid::new_v5(&Uuid::NAMESPACE_OID, config.uid.as_bytes());
        let (for_worker, stop) = (journal.clone(), stop.clone());
        let worker = Worker {
            queue,
            journal: for_worker,
            desk,
            children,
            installation,
            known,
            connectors,
            office,
            allowances,
            session,
            stop,
        };
        let publisher = Publisher { journal: journal.clone(), streams, agent: config.agent, uid: config.uid };
        Ok(Self { journal, worker, publisher, workspace })
    }
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
