//! The caches and controllers of declared kinds.
use std::{collections::BTreeSet, sync::Arc};

use crate::{
    agent::AgentPod,
    budget::{BudgetController, Ledger},
    carry_out::Hands,
    declared::{Attachment, Attachments, World, attachments_of},
    kept::Kept,
    office::OfficeController,
    prune::prune,
    queue::Queue,
    schedule::{ScheduleController, is_agent_of},
    squad::{Registry, SquadController, Squads},
    watch::{Change, Origin},
};
use futures::future::join_all;
use komputer_crds::{
    object_references::Target,
    v1beta1::{
        KomputerAgent, KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerBudget, KomputerConfig,
        KomputerConnector, KomputerMemory, KomputerOffice, KomputerSchedule, KomputerSkill, KomputerSquad,
        KomputerTask,
    },
};
use komputer_events::AgentId;
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store, store::WriterDropped},
};

/// The declared kinds, without templates, which agents' caches have.
#[derive(Clone)]
pub(crate) struct Declarations {
    pub(crate) attachments: Arc<Attachments>,
    pub(crate) templates: Queue<KomputerAgentTemplate>,
    pub(crate) cluster_templates: Queue<KomputerAgentClusterTemplate>,
    pub(crate) registry: Arc<Registry>,
    configs: Kept<KomputerConfig>,
    connectors: Kept<KomputerConnector>,
    memories: Kept<KomputerMemory>,
    skills: Kept<KomputerSkill>,
    pub(crate) offices: Kept<KomputerOffice>,
    pub(crate) budgets: Kept<KomputerBudget>,
    pub(crate) schedules: Kept<KomputerSchedule>,
    pub(crate) squads: Kept<KomputerSquad>,
}

impl Declarations {
    /// Agents that have a memory, a skill or a connector are sent to `agents` when it changes.
    pub(crate) fn start(
        origin: &Origin,
        agents: &Queue<KomputerAgent>,
        (ledger, spending): (&Arc<Ledger>, &Queue<KomputerBudget>),
    ) -> Self {
        let ledger = ledger.clone();
        let attachments = Arc::<Attachments>::default();
        let (memorizing, skilled, connected) = (attachments.clone(), attachments.clone(), attachments.clone());
        let (of_memories, of_skills, of_connectors) = (agents.clone(), agents.clone(), agents.clone());
        let (registry, of_squads, of_offices) = (Arc::<Registry>::default(), agents.clone(), agents.clone());
        let registered = registry.clone();
        let offices = Kept::start_waking(origin, prune, move |office: &KomputerOffice, queue| {
            queue.wake(ObjectRef::from_obj(office));
            let manager = ObjectRef::new(&office.spec.manager_ref.name);
            of_offices.wake(manager.within(&office.namespace().unwrap_or_default()));
        });
        let makers = offices.queue.clone();
        Self {
            attachments,
            registry,
            templates: Queue::default(),
            cluster_templates: Queue::default(),
            // Which of them counts depends on all.
            configs: Kept::start_waking(origin, prune, |_, queue| queue.wake_all()),
            connectors: Kept::start_waking(origin, prune, move |connector, queue| {
                queue.wake(ObjectRef::from_obj(connector));
                wake_agents(connector, Target::Connector, &connected, &of_connectors);
            }),
            // Nobody here reads what may be a mebibyte of it.
            memories: Kept::start_waking(
                origin,
                |memory: &mut KomputerMemory| {
                    prune(memory);
                    memory.spec.content.clear();
                },
                move |memory, queue| {
                    queue.wake(ObjectRef::from_obj(memory));
                    wake_agents(memory, Target::Memory, &memorizing, &of_memories);
                },
            ),
            skills: Kept::start_waking(
                origin,
                |skill: &mut KomputerSkill| {
                    prune(skill);
                    skill.spec.content.clear();
                },
                move |skill, queue| {
                    queue.wake(ObjectRef::from_obj(skill));
                    wake_agents(skill, Target::Skill, &skilled, &of_skills);
                },
            ),
            offices,
            budgets: Kept::start_telling(origin, spending.clone(), prune, move |budget, change, queue| {
                ledger.budget_changed(budget, change);
                queue.wake(ObjectRef::from_obj(budget));
            }),
            schedules: Kept::start_waking(origin, prune, move |schedule: &KomputerSchedule, queue| {
                queue.wake(ObjectRef::from_obj(schedule));
                let owners = schedule.owner_references().iter();
                for office in owners.filter(|owner| owner.kind == KomputerOffice::kind(&())) {
                    makers.wake(ObjectRef::new(&office.name).within(&schedule.namespace().unwrap_or_default()));
                }
            }),
            // Whose member an agent is depends on all that name it.
            squads: Kept::start_telling(origin, Queue::default(), prune, move |squad, change, queue| {
                queue.wake(ObjectRef::from_obj(squad));
                for agent in registered.squad_changed(squad, change) {
                    of_squads.wake(ObjectRef::new(agent.name()).within(agent.namespace()));
                    let rivals = registered.squads_of(&agent).into_iter();
                    rivals.for_each(|rival| queue.wake(ObjectRef::new(&rival).within(agent.namespace())));
                }
            }),
        }
    }

    /// Waits until every cache has its first list.
    ///
    /// # Errors
    /// A watch has ended for good.
    pub(crate) async fn ready(&self) -> Result<(), WriterDropped> {
        self.configs.store.wait_until_ready().await?;
        self.connectors.store.wait_until_ready().await?;
        self.memories.store.wait_until_ready().await?;
        self.skills.store.wait_until_ready().await?;
        self.offices.store.wait_until_ready().await?;
        self.budgets.store.wait_until_ready().await?;
        self.schedules.store.wait_until_ready().await?;
        self.squads.store.wait_until_ready().await
    }

    pub(crate) fn configs(&self) -> Store<KomputerConfig> {
        self.configs.store.clone()
    }

    pub(crate) fn connectors(&self) -> Store<KomputerConnector> {
        self.connectors.store.clone()
    }

    pub(crate) fn memories(&self) -> Store<KomputerMemory> {
        self.memories.store.clone()
    }

    pub(crate) fn skills(&self) -> Store<KomputerSkill> {
        self.skills.store.clone()
    }

    pub(crate) fn offices(&self) -> Store<KomputerOffice> {
        self.offices.store.clone()
    }

    pub(crate) fn schedules(&self) -> Store<KomputerSchedule> {
        self.schedules.store.clone()
    }

    pub(crate) fn squads(&self, agents: &Store<KomputerAgent>) -> Squads {
        Squads { registry: self.registry.clone(), store: self.squads.store.clone(), agents: agents.clone() }
    }

    /// Wakes what an agent that has changed uses, has ceased to use, or belongs to; answers the names of the agents above
    /// it, where it has another manager than before.
    pub(crate) fn agent_changed(&self, agent: &KomputerAgent, change: Change) -> Vec<String> {
        let namespace = agent.namespace().unwrap_or_default();
        let Ok(id) = AgentId::new(&namespace, agent.name_any()) else { return Vec::new() };
        let before = self.attachments.managers(&id);
        let used = match change {
            Change::Applied => attachments_of(agent),
            Change::Deleted => BTreeSet::new(),
        };
        for changed in self.attachments.update(&id, used) {
            let (namespace, name) = (&changed.namespace, &changed.name);
            match changed.target {
                Target::Connector => self.connectors.queue.wake(ObjectRef::new(name).within(namespace)),
                Target::Memory => self.memories.queue.wake(ObjectRef::new(name).within(namespace)),
                Target::Skill => self.skills.queue.wake(ObjectRef::new(name).within(namespace)),
                Target::Template => {
                    self.templates.wake(ObjectRef::new(name).within(namespace));
                    self.cluster_templates.wake(ObjectRef::new(name));
                }
                Target::Agent => self.wake_offices(namespace, name),
                Target::Secret => {}
            }
        }
        self.wake_offices(&namespace, &agent.name_any());
        if let Some(manager) = &agent.spec.manager_ref {
            self.wake_offices(&namespace, &manager.name);
        }
        self.wake_schedules(&namespace, &agent.name_any());
        self.registry.agent_changed(agent, change);
        self.wake_squads(&id);
        if let Some(maker) = agent.owner_references().iter().find(|owner| owner.kind == KomputerSquad::kind(&())) {
            self.squads.queue.wake(ObjectRef::new(&maker.name).within(&namespace));
        }
        let after = self.attachments.managers(&id);
        if before == after { Vec::new() } else { [before, after].concat() }
    }

    /// Wakes the offices of a manager.
    pub(crate) fn wake_offices(&self, namespace: &str, manager: &str) {
        let offices = self.offices.store.state();
        let of_manager = offices.iter().filter(|office| {
            office.spec.manager_ref.name == manager && office.namespace().as_deref() == Some(namespace)
        });
        of_manager.for_each(|office| self.offices.queue.wake(ObjectRef::from_obj(&**office)));
    }

    fn wake_schedules(&self, namespace: &str, agent: &str) {
        let schedules = self.schedules.store.state();
        let of_agent = schedules.iter().filter(|schedule| {
            schedule.metadata.namespace.as_deref() == Some(namespace) && is_agent_of(schedule, agent)
        });
        of_agent.for_each(|schedule| self.schedules.queue.wake(ObjectRef::from_obj(&**schedule)));
    }

    /// Wakes whom a pod concerns beside the agent of its name: the squads of who sits in it, or of that agent. Answers who
    /// sits in it.
    pub(crate) fn pod_changed(&self, pod: &AgentPod, change: Change) -> Vec<AgentId> {
        let seated = self.registry.pod_changed(pod, change);
        let own = AgentId::new(pod.namespace().unwrap_or_default(), pod.name_any()).ok();
        seated.iter().chain(&own).for_each(|agent| self.wake_squads(agent));
        for squad in pod.owner_references().iter().filter(|owner| owner.kind == KomputerSquad::kind(&())) {
            let reference = ObjectRef::new(&squad.name);
            self.squads.queue.wake(reference.within(&pod.namespace().unwrap_or_default()));
        }
        seated
    }

    /// Wakes what looks at templates of agents.
    pub(crate) fn template_changed(&self) {
        self.squads.queue.wake_all();
    }

    fn wake_squads(&self, agent: &AgentId) {
        for squad in self.registry.squads_of(agent) {
            self.squads.queue.wake(ObjectRef::new(&squad).within(agent.namespace()));
        }
    }

    /// Wakes the schedule that has made the task, the offices of who may wait for it, and the squads whose pod goes once its
    /// end is written.
    pub(crate) fn task_changed(&self, task: &KomputerTask) {
        let namespace = task.namespace().unwrap_or_default();
        if let Ok(agent) = AgentId::new(&namespace, &task.spec.agent_ref.name) {
            let managers = self.attachments.managers(&agent);
            managers.first().into_iter().for_each(|manager| self.wake_offices(&namespace, manager));
            self.wake_squads(&agent);
        }
        let owners = task.owner_references().iter();
        for schedule in owners.filter(|owner| owner.kind == KomputerSchedule::kind(&())) {
            let reference = ObjectRef::new(&schedule.name);
            self.schedules.queue.wake(reference.within(&task.namespace().unwrap_or_default()));
        }
    }

    /// Wakes what looks at Secrets of the operator's namespace.
    pub(crate) fn secret_changed(&self) {
        self.cluster_templates.wake_all();
        self.configs.queue.wake_all();
        self.squads.queue.wake_all();
    }

    /// Keeps the statuses of all, until this process does not lead any more.
    pub(crate) async fn run(
        self,
        world: World,
        cluster_templates: Store<KomputerAgentClusterTemplate>,
        (schedules, squads, budgets, offices): (
            ScheduleController,
            SquadController,
            BudgetController,
            OfficeController,
        ),
        hands: Hands,
    ) {
        let templates = Kept { store: world.templates.clone(), queue: self.templates };
        let cluster_templates = Kept { store: cluster_templates, queue: self.cluster_templates };
        join_all([
            templates.run(&world, &hands),
            cluster_templates.run(&world, &hands),
            self.configs.run(&world, &hands),
            self.connectors.run(&world, &hands),
            self.memories.run(&world, &hands),
            self.skills.run(&world, &hands),
            self.offices.run_by(offices, &hands),
            self.budgets.run_by(budgets, &hands),
            self.squads.run_by(squads, &hands),
            self.schedules.run_by(schedules, &hands),
        ])
        .await;
    }
}

/// Wakes the agents that have an object.
fn wake_agents<K: Resource>(object: &K, target: Target, attachments: &Attachments, queue: &Queue<KomputerAgent>) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    for agent in attachments.agents(&Attachment { target, namespace, name }) {
        queue.wake(ObjectRef::new(agent.name()).within(agent.namespace()));
    }
}
