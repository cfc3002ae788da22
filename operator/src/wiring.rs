//! Who runs, and who ends when.
use std::{io, sync::Arc};

use crate::{
    access::{Access, Notice},
    agent::AgentController,
    agent_client::AgentClient,
    bootstrap,
    budget::{Accounts, BudgetController, Departures},
    carry_out::Hands,
    controller,
    declared::World,
    fence,
    inbox::Inbox,
    lease::{Elector, Leadership, LeaseConfig},
    lessons::Lessons,
    metrics::{Metrics, Population},
    migration::Migration,
    oauth::Renewals,
    office::{Answered, OfficeController},
    recorder::Recorder,
    schedule::ScheduleController,
    settings::Settings,
    squad::SquadController,
    task::TaskController,
    vault::Vault,
};
use anyhow::{Context, bail};
use komputer_events::bus::{Bells, Ring, Streams};
use komputer_telemetry::{Health, Registry};
use kube::{Client, Config};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};

use crate::{arguments::Arguments, watches::Watches};

/// Runs until a signal, or until the lease is lost: a process that has led never waits to lead again, it is restarted.
///
/// # Errors
/// It could not begin, or leads no more.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = Config::infer().await.context("could not find the apiserver")?;
    let client = fence::open_client(config.clone()).context("could not set up a client for the apiserver")?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(stop_on_signal(stop));
    let health = Health::default();
    let registry = Registry::new("komputer-operator");
    let endpoints =
        komputer_telemetry::serve(arguments.health_listen, health.clone(), registry.clone(), until(stopped.clone()));

    let (elector, leads) = Elector::new(lease_client(config.clone())?, &arguments.namespace, lease(&arguments));
    let (leave, leaving) = watch::channel(false);
    let election = tokio::spawn(elector.run(until(leaving)));
    let leader = fence::client(config, leads.clone()).context("could not set up a client for a leader's work")?;
    let renewals = Renewals::new(leader.clone(), leads.clone(), &registry)?;
    let work = Box::pin(lead(&arguments, client, leader, leads.clone(), renewals.clone(), &health, &registry));
    let outcome = end(work, endpoints, until(stopped), lost(leads)).await;
    renewals.finish().await;
    if outcome.is_ok() {
        leave.send_replace(true);
        election.await.ok(); // lets go of the lease, which is nobody else's while tokens are written
    }
    outcome
}

/// How it ends. Who is told to stop has to let go of the lease, also where it is lost at that moment, and is not restarted.
async fn end(
    work: impl Future<Output = anyhow::Result<()>>,
    endpoints: impl Future<Output = io::Result<()>>,
    stopped: impl Future<Output = ()>,
    lost: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        () = stopped => Ok(()),
        outcome = work => outcome.and_then(|()| bail!("a controller ended")),
        outcome = endpoints => outcome.context("the health endpoints ended"),
        () = lost => Err(anyhow::anyhow!("lost the lease; restarting")),
    }
}

/// Keeps the caches warm over `client`, waits for its turn, and then leads over `leader`.
async fn lead(
    arguments: &Arguments,
    client: Client,
    leader: Client,
    leads: Leadership,
    renewals: Renewals,
    health: &Health,
    registry: &Registry,
) -> anyhow::Result<()> {
    let warm = health.check("caches");
    let installation = bootstrap::installation(&client, &arguments.namespace).await?;
    let streams = Streams::new(&arguments.redis_address, &installation.redis)?;
    let mut watches = Watches::start(&client, arguments);
    watches.ready().await?;
    warm.pass();
    let mut turn = leads.clone();
    watches.stand_by(async move { turn.begins().await }).await;
    tracing::info!(identity = arguments.identity, agents = watches.agents.state().len(), "leads");

    let Watches { agents, caches, index, places, ledger, .. } = &watches;
    let ledger = ledger.clone();
    ledger.lead();
    let metrics = Metrics::new(registry);
    registry.register_collector(Population { agents: agents.clone(), tasks: caches.tasks.clone() });
    let inbox = Arc::new(Inbox::new(
        streams.clone(),
        agents.clone(),
        caches.tasks.clone(),
        index.clone(),
        ledger.clone(),
        metrics.clone(),
    ));
    let accounts = Accounts::new(streams.clone(), ledger.clone());
    let access = Access::new(streams, agents.clone(), accounts.clone(), installation.master.clone());
    let (rings, heard) = mpsc::channel(1);
    let departures =
        departures(&watches, accounts.clone(), (inbox.clone(), rings.clone()), leader.clone(), leads.clone());
    let (vault, wanted) = Vault::new();
    let agent_controller = AgentController {
        vault: vault.clone(),
        inbox: inbox.clone(),
        index: index.clone(),
        attachments: watches.declarations.attachments.clone(),
        squads: watches.declarations.squads(agents),
        places: places.clone(),
        waves: watches.waves.clone(),
        ledger: ledger.clone(),
        settings: Arc::new(settings(arguments)),
        master: installation.master,
        caches: caches.clone(),
    };
    places.take_stock(&leader).await;
    agent_controller.open_places(agents);
    let places = places.clone();
    let task_controller = TaskController {
        agents: agents.clone(),
        tasks: caches.tasks.clone(),
        index: index.clone(),
        inbox: inbox.clone(),
        ledger: ledger.clone(),
    };
    let budget_controller = BudgetController { ledger, namespaces: caches.namespaces.clone() };
    let schedule_controller = ScheduleController {
        agents: agents.clone(),
        tasks: caches.tasks.clone(),
        index: index.clone(),
        namespaces: caches.namespaces.clone(),
    };
    let squad_controller = SquadController {
        members: agent_controller.clone(),
        agents: agents.clone(),
        squads: watches.declarations.squads(agents),
    };
    let world = world(&watches, arguments);
    let office_controller = OfficeController {
        agents: agent_controller.clone(),
        world: world.clone(),
        offices: watches.declarations.offices(),
        schedules: watches.declarations.schedules(),
        answered: Answered::default(),
    };
    let asked = watches.declarations.clone();
    let listen = || Bells::listen(&arguments.redis_address, &installation.redis);
    let recorder = Recorder::start(leader.clone(), &arguments.identity, metrics.clone());
    let migration = Migration::new(leader.clone(), recorder.clone());
    let agent_client = AgentClient::new(Lessons::new(leader.clone()))?;
    let freshness = watches.freshness.clone();
    let hands = Hands { client: leader, agents: agent_client, accounts, recorder, leading: leads, metrics, freshness };
    tokio::join!(
        watches.doubts.settle(hands.client.clone(), &places),
        vault.run(wanted, hands.client.clone(), renewals, watches.agent_queue.clone()),
        migration.run(),
        watches.declarations.run(
            world,
            watches.caches.cluster_templates,
            (schedule_controller, squad_controller, budget_controller, office_controller),
            hands.clone(),
        ),
        work_with_redis(access, listen, rings, watches.notices.clone(), watches.noticed),
        departures.run(),
        inbox.run(heard, watches.agent_queue.clone(), watches.task_queue.clone(), |manager| {
            asked.wake_offices(manager.namespace(), manager.name());
        }),
        controller::run(agent_controller, hands.clone(), watches.agents, watches.agent_queue),
        controller::run(task_controller, hands, watches.caches.tasks, watches.task_queue),
    );
    Ok(())
}

/// Takes over from whoever led before, which ends all other connections, and only then listens.
async fn work_with_redis(
    access: Access,
    listen: impl FnOnce() -> mpsc::Receiver<Ring>,
    rings: mpsc::Sender<Ring>,
    notices: mpsc::UnboundedSender<Notice>,
    noticed: mpsc::UnboundedReceiver<Notice>,
) {
    access.begin().await;
    tokio::join!(access.run(noticed), pass_on(listen(), rings, notices));
}

/// Rings go to the inbox; one after a reconnect also says that Redis may have lost its users.
async fn pass_on(mut bells: mpsc::Receiver<Ring>, rings: mpsc::Sender<Ring>, notices: mpsc::UnboundedSender<Notice>) {
    while let Some(ring) = bells.recv().await {
        if ring == Ring::Anybody {
            let _ = notices.send(Notice::Restarted);
        }
        if rings.send(ring).await.is_err() {
            return;
        }
    }
}

/// What does for agents that are gone what is left to do.
pub(crate) fn departures(
    Watches { caches, places, agent_queue, task_queue, notices, .. }: &Watches,
    accounts: Accounts,
    (inbox, rings): (Arc<Inbox>, mpsc::Sender<Ring>),
    client: Client,
    leading: Leadership,
) -> Departures {
    Departures {
        accounts,
        inbox,
        places: places.clone(),
        pods: caches.pods.clone(),
        client,
        leading,
        agents: agent_queue.clone(),
        tasks: task_queue.clone(),
        rings,
        notices: notices.clone(),
    }
}

fn world(Watches { agents, caches, declarations, .. }: &Watches, arguments: &Arguments) -> World {
    World {
        agents: agents.clone(),
        attachments: declarations.attachments.clone(),
        templates: caches.templates.clone(),
        configs: declarations.configs(),
        namespaces: caches.namespaces.clone(),
        secrets: caches.secrets.clone(),
        system: arguments.namespace.clone(),
        redis: arguments.redis_address.to_string(),
    }
}

fn settings(arguments: &Arguments) -> Settings {
    let redis = arguments.agent_redis_address.as_ref().unwrap_or(&arguments.redis_address);
    Settings {
        namespace: arguments.namespace.clone(),
        agent_image: arguments.agent_image.clone(),
        agent_redis_address: redis.to_string(),
    }
}

fn lease(arguments: &Arguments) -> LeaseConfig {
    LeaseConfig::new("komputer-operator", &arguments.identity)
}

fn lease_client(mut config: Config) -> anyhow::Result<Client> {
    config.default_retry = false;
    config.read_timeout = Some(std::time::Duration::from_secs(5));
    fence::open_client(config).context("could not set up a client for the lease")
}

async fn lost(mut leads: Leadership) {
    leads.begins().await;
    leads.ends().await;
}

async fn until(mut stopped: watch::Receiver<bool>) {
    stopped.wait_for(|stopped| *stopped).await.ok();
}

async fn stop_on_signal(stop: watch::Sender<bool>) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals; stopping will not be graceful");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.send_replace(true);
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn who_is_told_to_stop_lets_go_of_the_lease_also_where_it_is_lost_by_then() {
        for _ in 0..64 {
            let told = end(pending(), ready(Ok(())), ready(()), ready(())).await;
            assert!(told.is_ok(), "{told:?}");
        }
        assert!(end(pending(), pending(), pending(), ready(())).await.is_err());
    }
}
