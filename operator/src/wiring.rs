//! Which cache wakes which controller, and who ends when.
use std::sync::Arc;

use anyhow::Context;
use futures::channel::mpsc as queue;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, ServiceAccount};
use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerTask};
use komputer_events::{
    AgentId,
    bus::{Bells, Ring, Streams},
};
use komputer_operator::{
    access::{Access, Notice},
    agent::{AgentController, Caches, prune_pod},
    agent_client::AgentClient,
    bootstrap,
    carry_out::Hands,
    controller::{self, Queue},
    inbox::Inbox,
    lease::{Elector, LeaseConfig},
    settings::Settings,
    task::{TaskController, TaskIndex},
    watch::{Change, cache},
};
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};

use crate::arguments::Arguments;

/// Runs until a signal, or until the lease is lost: a process that has led never waits to lead again, it is restarted.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::try_default().await.context("could not set up a client for the apiserver")?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(stop_on_signal(stop));

    let (leading, leads) = watch::channel(false);
    let elector = Elector::new(lease_client().await?, &arguments.namespace, lease(&arguments));
    let election = tokio::spawn(elector.run(Arc::new(leading), until(stopped.clone())));
    let outcome = tokio::select! {
        outcome = lead(&arguments, client, leads.clone()) => outcome,
        () = until(stopped) => Ok(()),
        () = lost(leads) => Err(anyhow::anyhow!("lost the lease; restarting")),
    };
    if outcome.is_ok() {
        election.await.ok(); // lets go of the lease
    }
    outcome
}

async fn lead(arguments: &Arguments, client: Client, leads: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut turn = leads.clone();
    turn.wait_for(|leads| *leads).await.ok();
    tracing::info!(identity = arguments.identity, "leads");

    let installation = bootstrap::installation(&client, &arguments.namespace).await?;
    let streams = Streams::new(&arguments.redis_address, &installation.redis)?;
    let (agent_queue, agents_to_look_at) = queue::unbounded();
    let (task_queue, tasks_to_look_at) = queue::unbounded();
    let (notices, noticed) = mpsc::unbounded_channel();
    let index = Arc::new(TaskIndex::default());

    let agents = watch_agents(&client, &agent_queue, &notices);
    let caches = watch_everything_else(&client, arguments, &agents, &agent_queue, &task_queue, &index);
    agents.wait_until_ready().await?;
    caches.ready().await?;

    let inbox = Arc::new(Inbox::new(streams.clone(), agents.clone(), caches.tasks.clone(), index.clone()));
    let access = Access::new(streams, agents.clone(), installation.master.clone());
    let (rings, heard) = mpsc::channel(1);
    tokio::spawn(pass_on(Bells::listen(&arguments.redis_address, &installation.redis), rings, notices));
    let hands = Hands { client, agents: AgentClient::new()?, leading: leads };

    let agent_controller = AgentController {
        inbox: inbox.clone(),
        index,
        settings: Arc::new(settings(arguments)),
        master: installation.master,
        caches: caches.clone(),
    };
    let task_controller = TaskController { agents: agents.clone(), inbox: inbox.clone() };
    tokio::join!(
        access.run(noticed),
        inbox.run(heard, agent_queue, task_queue),
        controller::run(agent_controller, hands.clone(), agents, agents_to_look_at),
        controller::run(task_controller, hands, caches.tasks, tasks_to_look_at),
    );
    Ok(())
}

fn watch_agents(
    client: &Client,
    queue: &Queue<KomputerAgent>,
    notices: &mpsc::UnboundedSender<Notice>,
) -> Store<KomputerAgent> {
    let (queue, notices) = (queue.clone(), notices.clone());
    cache(
        Api::all(client.clone()),
        watcher::Config::default(),
        drop_managed_fields,
        move |agent: &KomputerAgent, change| {
            if let Ok(id) = AgentId::new(agent.namespace().unwrap_or_default(), agent.name_any()) {
                let _ = notices.send(match change {
                    Change::Applied => Notice::Agent(id, agent.uid().unwrap_or_default()),
                    Change::Deleted => Notice::Gone(id),
                });
            }
            let _ = queue.unbounded_send(ObjectRef::from_obj(agent));
        },
    )
}

fn watch_everything_else(
    client: &Client,
    arguments: &Arguments,
    agents: &Store<KomputerAgent>,
    agent_queue: &Queue<KomputerAgent>,
    task_queue: &Queue<KomputerTask>,
    index: &Arc<TaskIndex>,
) -> Caches {
    let ours = || watcher::Config::default().labels("app.kubernetes.io/managed-by=komputer-operator");
    let (tasks, agents_of_tasks, index) = (task_queue.clone(), agent_queue.clone(), index.clone());
    Caches {
        templates: cache(
            Api::<KomputerAgentTemplate>::all(client.clone()),
            watcher::Config::default(),
            drop_managed_fields,
            wake_all(agents, agent_queue),
        ),
        cluster_templates: cache(
            Api::<KomputerAgentClusterTemplate>::all(client.clone()),
            watcher::Config::default(),
            drop_managed_fields,
            wake_all(agents, agent_queue),
        ),
        tasks: cache(
            Api::all(client.clone()),
            watcher::Config::default(),
            drop_managed_fields,
            move |task: &KomputerTask, change| {
                index.update(task, change);
                let _ = tasks.unbounded_send(ObjectRef::from_obj(task));
                let agent = ObjectRef::new(&task.spec.agent_ref.name);
                let _ = agents_of_tasks.unbounded_send(agent.within(&task.namespace().unwrap_or_default()));
            },
        ),
        pods: cache(Api::<Pod>::all(client.clone()), ours(), prune_pod, wake_owner(agent_queue)),
        volumes: cache(
            Api::<PartialObjectMeta<PersistentVolumeClaim>>::all(client.clone()),
            ours(),
            drop_managed_fields,
            wake_owner(agent_queue),
        ),
        accounts: cache(
            Api::<PartialObjectMeta<ServiceAccount>>::all(client.clone()),
            ours(),
            drop_managed_fields,
            |_, _| {},
        ),
        secrets: cache(
            Api::<Secret>::namespaced(client.clone(), &arguments.namespace),
            watcher::Config::default(),
            drop_managed_fields,
            wake_all(agents, agent_queue),
        ),
    }
}

/// Templates and their Secrets concern any number of agents, and change rarely.
fn wake_all<K>(agents: &Store<KomputerAgent>, queue: &Queue<KomputerAgent>) -> impl Fn(&K, Change) + Send + 'static {
    let (agents, queue) = (agents.clone(), queue.clone());
    move |_, _| {
        for agent in agents.state() {
            let _ = queue.unbounded_send(ObjectRef::from_obj(&*agent));
        }
    }
}

/// An agent's children are called as it is.
fn wake_owner<K: Resource<DynamicType = ()>>(queue: &Queue<KomputerAgent>) -> impl Fn(&K, Change) + Send + 'static {
    let queue = queue.clone();
    move |child, _| {
        let agent = ObjectRef::new(&child.name_any());
        let _ = queue.unbounded_send(agent.within(&child.namespace().unwrap_or_default()));
    }
}

fn drop_managed_fields<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
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

async fn lease_client() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context("could not find the apiserver")?;
    config.default_retry = false;
    config.read_timeout = Some(std::time::Duration::from_secs(5));
    Client::try_from(config).context("could not set up a client for the lease")
}

async fn lost(mut leads: watch::Receiver<bool>) {
    leads.wait_for(|leads| *leads).await.ok();
    leads.wait_for(|leads| !*leads).await.ok();
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
