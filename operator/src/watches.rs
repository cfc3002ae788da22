//! Which cache wakes which controller.
use std::sync::Arc;

use crate::{
    access::Notice,
    agent::{AgentPod, AgentVolume, Alike, Caches, Doubts, Places, Waves, template_name},
    budget::Ledger,
    freshness::Freshness,
    news::of_spec,
    prune::prune,
    queue::Queue,
    task::{TaskIndex, agent_of},
    watch::{Change, Origin},
};
use k8s_openapi::api::{
    core::v1::{Namespace, Secret, ServiceAccount},
    networking::v1::NetworkPolicy,
    storage::v1::StorageClass,
};
use komputer_crds::v1beta1::{
    KomputerAgent, KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerTask, TaskMode,
};
use komputer_events::AgentId;
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        reflector::{ObjectRef, Store, store::WriterDropped},
        watcher,
    },
};
use tokio::sync::mpsc;

use crate::{arguments::Arguments, declarations::Declarations};

/// The caches of one replica, and what they say is to be looked at.
pub(crate) struct Watches {
    pub(crate) agents: Store<KomputerAgent>,
    pub(crate) caches: Caches,
    pub(crate) declarations: Declarations,
    pub(crate) index: Arc<TaskIndex>,
    pub(crate) places: Arc<Places>,
    pub(crate) waves: Arc<Waves>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) doubts: Doubts,
    pub(crate) agent_queue: Queue<KomputerAgent>,
    pub(crate) task_queue: Queue<KomputerTask>,
    pub(crate) notices: mpsc::UnboundedSender<Notice>,
    pub(crate) noticed: mpsc::UnboundedReceiver<Notice>,
    pub(crate) freshness: Freshness,
}

impl Watches {
    /// Starts all watches.
    pub(crate) fn start(client: &Client, arguments: &Arguments) -> Self {
        let (agent_queue, task_queue, budget_queue) = (Queue::default(), Queue::default(), Queue::default());
        let (notices, noticed) = mpsc::unbounded_channel();
        let index = Arc::new(TaskIndex::default());
        let (places, doubts) = Places::new(arguments.max_awake_agents, agent_queue.clone());
        let places = Arc::new(places);
        let ledger = Ledger::new(agent_queue.clone(), task_queue.clone(), budget_queue.clone(), index.clone());
        let ledger = Arc::new(ledger);
        let origin = Origin { client: client.clone(), freshness: Freshness::default() };
        let declarations = Declarations::start(&origin, &agent_queue, (&ledger, &budget_queue));
        let agents = watch_agents(&origin, (&agent_queue, &task_queue), &notices, &declarations, (&ledger, &index));
        let caches = watch_everything_else(
            &origin,
            arguments,
            &agents,
            (&agent_queue, &task_queue),
            &index,
            &places,
            &declarations,
        );
        Self {
            agents,
            caches,
            declarations,
            index,
            places,
            waves: Arc::new(Waves::new(agent_queue.clone())),
            ledger,
            doubts,
            agent_queue,
            task_queue,
            notices,
            noticed,
            freshness: origin.freshness,
        }
    }

    /// Waits until every cache has its first list.
    ///
    /// # Errors
    /// A watch has ended for good.
    pub(crate) async fn ready(&self) -> Result<(), WriterDropped> {
        self.agents.wait_until_ready().await?;
        self.declarations.ready().await?;
        self.caches.ready().await
    }

    /// Forgets of what was noticed until `turn`, when everything is looked at: a replica that waits does not pile it up.
    pub(crate) async fn stand_by(&mut self, turn: impl Future<Output = ()>) {
        let mut turn = std::pin::pin!(turn);
        loop {
            tokio::select! {
                biased; // equal beginnings go on equally
                () = &mut turn => break,
                _ = self.noticed.recv() => {}
            }
        }
    }
}

fn watch_agents(
    origin: &Origin,
    (queue, tasks): (&Queue<KomputerAgent>, &Queue<KomputerTask>),
    notices: &mpsc::UnboundedSender<Notice>,
    declarations: &Declarations,
    (ledger, index): (&Arc<Ledger>, &Arc<TaskIndex>),
) -> Store<KomputerAgent> {
    let (queue, notices, declarations, ledger) = (queue.clone(), notices.clone(), declarations.clone(), ledger.clone());
    let (tasks, index) = (tasks.clone(), index.clone());
    let mut alike = Alike::default();
    let prune = move |agent: &mut KomputerAgent| {
        prune(agent);
        alike.share(agent);
    };
    origin.guarded_cache(Api::all, watcher::Config::default(), prune, move |agent: &KomputerAgent, change| {
        if let Ok(id) = AgentId::new(agent.namespace().unwrap_or_default(), agent.name_any()) {
            if comes_or_goes(agent, change) {
                for task in index.of(&id) {
                    tasks.wake(ObjectRef::new(&task).within(id.namespace()));
                }
            }
            let _ = notices.send(match change {
                Change::Applied => Notice::Agent(id, agent.uid().unwrap_or_default()),
                Change::Deleted => Notice::Gone(id),
            });
        }
        ledger.agent_changed(agent, change);
        queue.wake(ObjectRef::from_obj(agent));
        let namespace = agent.namespace().unwrap_or_default();
        for above in declarations.agent_changed(agent, change) {
            queue.wake(ObjectRef::new(&above).within(&namespace));
        }
    })
}

/// Whether the agent is there only now or no more, which its tasks tell of: who has no status has not been looked at yet.
fn comes_or_goes(agent: &KomputerAgent, change: Change) -> bool {
    change == Change::Deleted || agent.status.is_none()
}

fn watch_everything_else(
    origin: &Origin,
    arguments: &Arguments,
    agents: &Store<KomputerAgent>,
    (agent_queue, task_queue): (&Queue<KomputerAgent>, &Queue<KomputerTask>),
    index: &Arc<TaskIndex>,
    places: &Arc<Places>,
    declarations: &Declarations,
) -> Caches {
    let ours = || watcher::Config::default().labels("app.kubernetes.io/managed-by=komputer-operator");
    let cluster_templates = origin.guarded_cache(
        Api::<DeserializeGuard<KomputerAgentClusterTemplate>>::all,
        watcher::Config::default(),
        prune,
        with(of_spec(template_changed(agents, agent_queue, declarations)), {
            let declarations = declarations.clone();
            move |template| declarations.cluster_templates.wake(ObjectRef::from_obj(template))
        }),
    );
    let (tasks, agents_of_tasks, index) = (task_queue.clone(), agent_queue.clone(), index.clone());
    let owners_of_tasks = declarations.clone();
    Caches {
        templates: origin.guarded_cache(
            Api::<DeserializeGuard<KomputerAgentTemplate>>::all,
            watcher::Config::default(),
            prune,
            with(of_spec(template_changed(agents, agent_queue, declarations)), {
                let declarations = declarations.clone();
                move |template: &KomputerAgentTemplate| {
                    declarations.templates.wake(ObjectRef::from_obj(template));
                    declarations.cluster_templates.wake(ObjectRef::new(&template.name_any()));
                }
            }),
        ),
        tasks: origin.guarded_cache(Api::all, watcher::Config::default(), prune, move |task: &KomputerTask, change| {
            index.update(task, change);
            owners_of_tasks.task_changed(task);
            let namespace = task.namespace().unwrap_or_default();
            for other in replaceable(task, &index) {
                tasks.wake(ObjectRef::new(&other).within(&namespace));
            }
            tasks.wake(ObjectRef::from_obj(task));
            agents_of_tasks.wake(ObjectRef::new(&task.spec.agent_ref.name).within(&namespace));
        }),
        connectors: declarations.connectors(),
        memories: declarations.memories(),
        skills: declarations.skills(),
        offices: declarations.offices(),
        pods: origin.cache(Api::<AgentPod>::all, ours(), prune, {
            let (places, wake_owner) = (places.clone(), wake_owner(agent_queue));
            let (declarations, agents) = (declarations.clone(), agent_queue.clone());
            move |pod, change| {
                places.pod_changed(pod, change);
                for seated in declarations.pod_changed(pod, change) {
                    agents.wake(ObjectRef::new(seated.name()).within(seated.namespace()));
                }
                wake_owner(pod, change);
            }
        }),
        volumes: origin.cache(Api::<AgentVolume>::all, ours(), prune, wake_owner(agent_queue)),
        storage_classes: origin.cache(
            Api::<StorageClass>::all,
            watcher::Config::default(),
            prune,
            wake_all(agent_queue),
        ),
        accounts: origin.cache(
            Api::<PartialObjectMeta<ServiceAccount>>::all,
            ours(),
            prune,
            wake_namespace(agents, agent_queue),
        ),
        policies: origin.cache(
            Api::<PartialObjectMeta<NetworkPolicy>>::all,
            ours(),
            prune,
            wake_namespace(agents, agent_queue),
        ),
        namespaces: origin.cache(
            Api::<PartialObjectMeta<Namespace>>::all,
            watcher::Config::default(),
            prune,
            |_, _| {},
        ),
        secrets: origin.cache(
            |client| Api::<Secret>::namespaced(client, &arguments.namespace),
            watcher::Config::default(),
            prune,
            with(wake_all(agent_queue), {
                let declarations = declarations.clone();
                move |_| declarations.secret_changed()
            }),
        ),
        cluster_templates,
    }
}

/// The tasks that this one may replace.
fn replaceable(task: &KomputerTask, index: &TaskIndex) -> impl Iterator<Item = String> + use<> {
    let agent = agent_of(task).filter(|_| task.spec.mode == Some(TaskMode::Replace));
    agent.map(|agent| index.of(&agent)).into_iter().flatten()
}

/// Both, one after the other.
fn with<K>(
    changed: impl Fn(&K, Change) + Send + 'static,
    then: impl Fn(&K) + Send + 'static,
) -> impl Fn(&K, Change) + Send + 'static {
    move |object, change| {
        changed(object, change);
        then(object);
    }
}

/// Wakes the agents that the template's name stands for, and squads, which may have some of them.
fn template_changed<K: Resource<DynamicType = ()>>(
    agents: &Store<KomputerAgent>,
    queue: &Queue<KomputerAgent>,
    declarations: &Declarations,
) -> impl Fn(&K, Change) + Send + 'static {
    let (agents, queue, declarations) = (agents.clone(), queue.clone(), declarations.clone());
    move |template, _| {
        let (namespace, name) = (template.namespace(), template.name_any());
        let is_of = |agent: &KomputerAgent| {
            template_name(agent) == name && (namespace.is_none() || agent.namespace() == namespace)
        };
        for agent in agents.state().into_iter().filter(|agent| is_of(agent)) {
            queue.wake(ObjectRef::from_obj(&*agent));
        }
        declarations.template_changed();
    }
}

/// Secrets of templates and storage classes concern any number of agents, and change rarely.
fn wake_all<K>(queue: &Queue<KomputerAgent>) -> impl Fn(&K, Change) + Send + 'static {
    let queue = queue.clone();
    move |_, _| queue.wake_all()
}

/// What the agents of a namespace share is missed by all of them, and needed back by one.
fn wake_namespace<K>(
    agents: &Store<KomputerAgent>,
    queue: &Queue<KomputerAgent>,
) -> impl Fn(&K, Change) + Send + 'static
where
    K: Resource<DynamicType = ()>,
{
    let (agents, queue) = (agents.clone(), queue.clone());
    move |shared, change| {
        if change == Change::Deleted
            && let Some(agent) = agents.state().iter().find(|agent| agent.namespace() == shared.namespace())
        {
            queue.wake(ObjectRef::from_obj(&**agent));
        }
    }
}

/// An agent's children are called as it is.
fn wake_owner<K: Resource<DynamicType = ()>>(queue: &Queue<KomputerAgent>) -> impl Fn(&K, Change) + Send + 'static {
    let queue = queue.clone();
    move |child, _| {
        let agent = ObjectRef::new(&child.name_any());
        queue.wake(agent.within(&child.namespace().unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use komputer_crds::v1beta1::{KomputerAgentSpec, KomputerAgentStatus};

    #[test]
    fn tasks_are_told_that_their_agent_comes_or_goes() {
        let mut agent = KomputerAgent::new("ada", KomputerAgentSpec::default());
        assert!(comes_or_goes(&agent, Change::Applied), "tasks may wait for it");
        agent.status = Some(KomputerAgentStatus::default());
        assert!(!comes_or_goes(&agent, Change::Applied) && comes_or_goes(&agent, Change::Deleted));
    }
}
