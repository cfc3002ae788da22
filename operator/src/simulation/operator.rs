//! The operator, wired as the process is, with the simulation between it and the world.
use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Duration};

use clap::Parser;
use futures::future::join_all;
use jiff::Timestamp;
use komputer_events::{AgentId, bus::Ring};
use komputer_telemetry::Registry;
use kube::{ResourceExt, runtime::reflector::Store};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{
    desk::{Desk, Key, Looks},
    kubelet::pod_of,
    network::Network,
    streams::Redis,
};
use crate::{
    agent::{AgentController, AgentPod, PodState, Replacement, Waves, pod_state},
    agent_client::AgentClient,
    arguments::Arguments,
    budget::{Accounts, BudgetController},
    carry_out::Hands,
    declarations::Declarations,
    declared::World,
    inbox::Inbox,
    keys::MasterKey,
    lease::Leadership,
    lessons::Lessons,
    metrics::Metrics,
    office::{Answered, OfficeController},
    queue::Queue,
    recorder::Recorder,
    schedule::ScheduleController,
    settings::Settings,
    squad::SquadController,
    task::TaskController,
    watches::Watches,
    wiring::departures,
};
use komputer_crds::v1beta1::{KomputerAgent, KomputerTask};

/// What secrets are derived from.
pub(super) fn master() -> MasterKey {
    MasterKey::new([7; 64])
}

/// A replica that keeps its caches warm.
pub(super) struct Standby {
    pub(super) network: Network,
    watches: Watches,
}

impl Standby {
    pub(super) async fn start(network: Network, limit: Option<NonZeroU32>) -> Self {
        let mut arguments = Arguments::parse_from(["operator", "--agent-image=agent:1"]);
        arguments.max_awake_agents = limit;
        let watches = Watches::start(&network.client(), &arguments);
        watches.ready().await.unwrap();
        Self { network, watches }
    }

    /// It leads from now on: see `wiring::lead`.
    pub(super) async fn lead(self, redis: Redis, metrics: Metrics) -> Operator {
        let Self { network, mut watches } = self;
        watches.stand_by(std::future::ready(())).await;
        let client = network.client();
        let Watches { agents, caches, index, places, ledger, .. } = &watches;
        ledger.lead();
        let (until, leads) = watch::channel(Some(Instant::now() + Duration::from_hours(1_000_000)));
        let (tasks, index) = (caches.tasks.clone(), index.clone());
        let accounts = Accounts::new(redis.clone(), ledger.clone());
        let inbox = Inbox::new(redis, agents.clone(), tasks.clone(), index.clone(), ledger.clone(), metrics.clone());
        let inbox = Arc::new(inbox);
        let squads = watches.declarations.squads(agents);
        let members = AgentController {
            inbox: inbox.clone(),
            index: index.clone(),
            attachments: watches.declarations.attachments.clone(),
            squads: squads.clone(),
            places: places.clone(),
            waves: watches.waves.clone(),
            ledger: ledger.clone(),
            vault: crate::vault::Vault::new().0, // no agent has connectors
            settings: Arc::new(settings()),
            master: master(),
            caches: caches.clone(),
        };
        places.take_stock(&client).await;
        members.open_places(agents);
        goes_on(&watches.waves, &caches.pods);
        let hands = Hands {
            client: client.clone(),
            agents: AgentClient::over(Arc::new(network.clone()), Lessons::new(client.clone())),
            accounts: accounts.clone(),
            recorder: Recorder::silent(),
            leading: Leadership::new(leads),
            metrics,
            freshness: watches.freshness.clone(),
        };
        let (ring, heard) = mpsc::channel(1_000);
        let leading = hands.leading.clone();
        let departures = departures(&watches, accounts.clone(), (inbox.clone(), ring), client.clone(), leading);
        let (agents, places, namespaces) = (agents.clone(), places.clone(), caches.namespaces.clone());
        let world = World {
            agents: agents.clone(),
            attachments: watches.declarations.attachments.clone(),
            templates: caches.templates.clone(),
            configs: watches.declarations.configs(),
            namespaces: namespaces.clone(),
            secrets: caches.secrets.clone(),
            system: "komputer-system".into(),
            redis: "redis:6379".into(),
        };
        let budget = BudgetController { ledger: ledger.clone(), namespaces: namespaces.clone() };
        let (stock, index_of) = (tasks.clone(), index.clone());
        let schedule = ScheduleController { agents: agents.clone(), tasks: stock, index: index_of, namespaces };
        let squad = SquadController { members: members.clone(), agents: agents.clone(), squads };
        let ledger = ledger.clone();
        let task = TaskController { agents: agents.clone(), tasks: tasks.clone(), index, inbox: inbox.clone(), ledger };
        let declared = &watches.declarations;
        let office = OfficeController {
            agents: members.clone(),
            world,
            offices: declared.offices(),
            schedules: declared.schedules(),
            answered: Answered::default(),
        };
        let desks = vec![
            Desk::boxed(members, &hands, &agents, watches.agent_queue.clone()),
            Desk::boxed(task, &hands, &tasks, watches.task_queue.clone()),
            Desk::boxed(squad, &hands, &declared.squads.store, declared.squads.queue.clone()),
            Desk::boxed(schedule, &hands, &declared.schedules.store, declared.schedules.queue.clone()),
            Desk::boxed(budget, &hands, &declared.budgets.store, declared.budgets.queue.clone()),
            Desk::boxed(office, &hands, &declared.offices.store, declared.offices.queue.clone()),
        ];
        let doubts = watches.doubts;
        let doubts = tokio::spawn(async move { doubts.settle(client, &places).await });
        let (known, kept) = (agents.clone(), accounts.clone());
        let departures = tokio::spawn(async move {
            kept.begin(&known).await;
            departures.run().await;
        });
        let (agent_queue, task_queue) = (watches.agent_queue, watches.task_queue);
        let rings = agents.state().iter().filter_map(|agent| id(agent)).collect();
        let helpers = [doubts, departures];
        let declarations = watches.declarations;
        Operator {
            network,
            desks,
            inbox,
            accounts,
            declarations,
            agent_queue,
            task_queue,
            rings,
            heard,
            helpers,
            _leads: until,
        }
    }
}

fn settings() -> Settings {
    Settings {
        namespace: "komputer-system".into(),
        agent_image: "agent:1".into(),
        agent_redis_address: "redis:6379".into(),
    }
}

/// Who leads next goes on with what is being replaced.
fn goes_on(waves: &Waves, pods: &Store<AgentPod>) {
    let is_ready = |pod: &AgentPod| matches!(pod_state(pod), PodState::Ready { .. });
    for pod in pods.state().iter().filter(|pod| pod.is_replacement && !is_ready(pod)) {
        let id = AgentId::new(pod.namespace().unwrap(), pod.name_any()).unwrap();
        assert_eq!(waves.standing(&id), Replacement::Granted, "nobody knows that {id} is being replaced");
    }
}

fn id(agent: &KomputerAgent) -> Option<AgentId> {
    AgentId::new(agent.namespace()?, agent.name_any()).ok()
}

/// The replica that leads.
pub(super) struct Operator {
    pub(super) network: Network,
    desks: Vec<Box<dyn Looks>>,
    inbox: Arc<Inbox>,
    accounts: Accounts,
    declarations: Declarations,
    agent_queue: Queue<KomputerAgent>,
    task_queue: Queue<KomputerTask>,
    /// Agents whose bell rang.
    pub(super) rings: BTreeSet<AgentId>,
    heard: mpsc::Receiver<Ring>,
    helpers: [JoinHandle<()>; 2],
    _leads: watch::Sender<Option<Instant>>,
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.helpers.iter().for_each(JoinHandle::abort);
    }
}

impl Operator {
    /// Notes what is to be done by now.
    pub(super) async fn note(&mut self, now: Timestamp) {
        join_all(self.desks.iter_mut().map(|desk| desk.note(now))).await;
        while let Ok(Ring::Agents(agents)) = self.heard.try_recv() {
            self.rings.extend(agents);
        }
    }

    /// What can be looked at, at which desk.
    pub(super) fn ready(&self) -> Vec<(usize, Key)> {
        let desks = self.desks.iter().enumerate();
        desks.flat_map(|(index, desk)| desk.ready().into_iter().map(move |key| (index, key))).collect()
    }

    pub(super) fn look(&mut self, (desk, key): &(usize, Key)) {
        self.desks[*desk].begin(key);
    }

    pub(super) fn look_at_all(&mut self) {
        self.desks.iter_mut().for_each(|desk| desk.look_at_all());
    }

    /// Hears what an agent whose bell rang has said.
    pub(super) async fn hear(&mut self, agent: &AgentId) {
        if self.inbox.read_on(agent).await.is_ok() {
            self.rings.remove(agent);
            self.inbox.announce(agent, &self.agent_queue, &self.task_queue);
            if self.inbox.has_asked(agent) {
                self.declarations.wake_offices(agent.namespace(), agent.name());
            }
        }
    }

    /// Whether agents are gone and not forgotten yet. Those that a squad's pod has wait until it is replaced.
    pub(super) fn has_gone(&self) -> bool {
        let etcd = self.network.etcd();
        self.accounts.ledger().gone_uids().iter().any(|uid| pod_of(&etcd, uid).is_none())
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.rings.is_empty()
            || self.accounts.ledger().is_reading()
            || self.has_gone()
            || self.desks.iter().any(|desk| desk.is_busy())
    }

    /// When something is to be looked at again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.desks.iter().filter_map(|desk| desk.next()).min()
    }
}

/// What is counted, by nobody.
pub(super) fn metrics() -> Metrics {
    Metrics::new(&Registry::new("simulation"))
}
