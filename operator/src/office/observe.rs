use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerOffice, KomputerOfficeStatus, KomputerSchedule, KomputerTask};
use komputer_events::{AgentId, office::OfficeRequest};
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::{Facts, answered::Answered, decide::decide};
use crate::{
    agent::{self, AgentController},
    controller::Controller,
    declared::{self, Declared as _, World},
    fold::{Asked, OpenRequests},
    plan::{Plan, PodAddress},
};

/// Keeps offices' statuses, and does what managers ask for.
pub struct OfficeController {
    /// Looks at managers as their own controller does.
    pub agents: AgentController,
    /// What statuses look at.
    pub world: World,
    /// Every office.
    pub offices: Store<KomputerOffice>,
    /// Every schedule.
    pub schedules: Store<KomputerSchedule>,
    /// What managers were answered.
    pub answered: Answered,
}

/// All that decides about an office.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The office, its manager and the manager's agents.
    pub declared: declared::Observed<KomputerOffice>,
    /// What the manager has asked and has no answer to; nothing where an older office answers.
    pub requests: OpenRequests,
    /// The manager's pod, where it can be told something.
    pub pod: Option<PodAddress>,
    /// The manager, and the managers above it, the nearest first.
    pub above: Vec<Above>,
    /// What there is of the names that requests are about.
    pub named: Named,
    /// Agents and schedules of the office that are to go, because its manager has.
    pub left: Left,
}

/// A manager, and how many managers its office lets stand above each other, where it says.
#[derive(Clone, Debug)]
pub struct Above {
    /// The manager.
    pub manager: String,
    /// `spec.maxDepth` of its office.
    pub max_depth: Option<i32>,
}

/// Objects by their names.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Agents, whose ever.
    pub agents: BTreeMap<String, Arc<KomputerAgent>>,
    /// Tasks, whose ever.
    pub tasks: BTreeMap<String, Arc<KomputerTask>>,
    /// Schedules, whose ever.
    pub schedules: BTreeMap<String, Arc<KomputerSchedule>>,
}

/// What an office has made.
#[derive(Clone, Debug, Default)]
pub struct Left {
    /// Its agents.
    pub agents: Vec<Arc<KomputerAgent>>,
    /// Its schedules.
    pub schedules: Vec<Arc<KomputerSchedule>>,
}

impl Observed {
    pub(super) fn office(&self) -> &KomputerOffice {
        &self.declared.object
    }

    pub(super) fn manager(&self) -> Option<&KomputerAgent> {
        self.declared.facts.manager.as_deref()
    }

    /// The manager's agents, by name.
    pub(super) fn members(&self) -> &BTreeMap<String, Arc<KomputerAgent>> {
        &self.declared.facts.members
    }

    /// Whether the office has made it.
    pub(super) fn owns(&self, object: &impl Resource) -> bool {
        let owners = object.meta().owner_references.iter().flatten();
        owners.into_iter().any(|owner| Some(&owner.uid) == self.office().metadata.uid.as_ref())
    }
}

impl Controller for OfficeController {
    type Object = KomputerOffice;
    type Observed = Observed;
    type Status = KomputerOfficeStatus;
    // A manager waits for the answer; a thousand agents that come at once are still counted a few times only.
    const DEBOUNCE: Duration = Duration::from_millis(50);

    fn observe(&self, office: Arc<KomputerOffice>, now: Timestamp, written: Option<Timestamp>) -> Observed {
        let namespace = office.namespace().unwrap_or_default();
        let facts = office.look(&self.world);
        let requests = self.answered.open(&ObjectRef::from_obj(&*office), self.requests(&office, &facts));
        let manager = facts.manager.clone().filter(|_| !requests.is_empty());
        Observed {
            above: manager.as_deref().map(|manager| self.above(&namespace, manager)).unwrap_or_default(),
            pod: manager.and_then(|manager| agent::address_of(&self.agents.look(manager, now, None))),
            named: self.named(&office, &requests),
            left: if facts.manager.is_none() { self.left(&office, &facts) } else { Left::default() },
            requests,
            declared: declared::Observed {
                facts,
                namespace_is_going: self.world.namespace_is_going(&namespace),
                object: office,
                written,
                now,
            },
        }
    }

    fn decide(observed: &Observed) -> Plan<KomputerOfficeStatus> {
        decide(observed)
    }

    fn answered(&self, office: &ObjectRef<KomputerOffice>, request: &str) {
        self.answered.add(office, request);
    }

    fn forget(&self, office: &ObjectRef<KomputerOffice>) {
        self.answered.forget(office);
    }
}

impl OfficeController {
    /// What the manager has asked, where no older office of it answers.
    fn requests(&self, office: &KomputerOffice, facts: &Facts) -> OpenRequests {
        let Some(manager) = facts.manager.as_deref() else { return OpenRequests::default() };
        let id = AgentId::new(manager.namespace().unwrap_or_default(), manager.name_any());
        let Ok(id) = id else { return OpenRequests::default() };
        let mut requests = self.agents.inbox.requests(&id, &manager.uid().unwrap_or_default());
        if !requests.is_empty() {
            requests.keep_of(&self.open_tasks(&id));
        }
        let answers = requests.is_empty() || self.office_of(office.namespace(), &manager.name_any()) == office.uid();
        if answers { requests } else { OpenRequests::default() }
    }

    /// The uids of the manager's tasks that are not over. A stream that is filled anew shows for a moment what was asked in
    /// others, and not yet that it was answered.
    fn open_tasks(&self, manager: &AgentId) -> BTreeSet<String> {
        let task = |name: &String| self.agents.caches.tasks.get(&ObjectRef::new(name).within(manager.namespace()));
        let names = self.agents.index.of(manager);
        names.iter().filter_map(task).filter(|task| !task.phase().is_terminal()).filter_map(|task| task.uid()).collect()
    }

    /// The uid of the oldest office of the manager.
    fn office_of(&self, namespace: Option<String>, manager: &str) -> Option<String> {
        oldest_office(&self.offices, namespace.as_deref(), manager)?.uid()
    }

    fn above(&self, namespace: &str, manager: &KomputerAgent) -> Vec<Above> {
        let id = AgentId::new(namespace, manager.name_any());
        let managers = id.map(|id| self.world.attachments.managers(&id)).unwrap_or_default();
        let above = std::iter::once(manager.name_any()).chain(managers);
        above
            .map(|manager| {
                let office = oldest_office(&self.offices, Some(namespace), &manager);
                Above { max_depth: office.and_then(|office| office.spec.max_depth), manager }
            })
            .collect()
    }

    fn named(&self, office: &KomputerOffice, requests: &OpenRequests) -> Named {
        let namespace = office.namespace().unwrap_or_default();
        let mut named = Named::default();
        for Asked { id, request, .. } in requests.iter() {
            match request {
                OfficeRequest::CreateAgent(asked) => named.add_agent(&self.world.agents, &namespace, &asked.name),
                OfficeRequest::DeleteAgent(asked) => named.add_agent(&self.world.agents, &namespace, &asked.name),
                OfficeRequest::AskAgent(asked) => {
                    named.add_task(&self.agents.caches.tasks, &namespace, &super::build::task_name(&asked.name, id));
                }
                OfficeRequest::WaitForTasks(asked) => {
                    asked.tasks.iter().for_each(|task| named.add_task(&self.agents.caches.tasks, &namespace, task));
                    asked.agents.iter().for_each(|agent| self.add_tasks_of(&mut named, &namespace, agent));
                }
                OfficeRequest::CancelTask(asked) => {
                    named.add_task(&self.agents.caches.tasks, &namespace, &asked.name);
                }
                OfficeRequest::ReadResults(asked) => {
                    self.add_tasks_of(&mut named, &namespace, &asked.name);
                }
                OfficeRequest::CreateSchedule(komputer_events::office::CreateSchedule { name, .. })
                | OfficeRequest::DeleteSchedule(komputer_events::office::Named { name }) => {
                    let found = self.schedules.get(&ObjectRef::new(name).within(&namespace));
                    named.schedules.extend(found.map(|found| (name.clone(), found)));
                }
                OfficeRequest::ListSchedules(_) => {
                    let own = self.schedules_of(office).into_iter();
                    named.schedules.extend(own.map(|schedule| (schedule.name_any(), schedule)));
                }
                OfficeRequest::ListAgents(_) => {}
            }
        }
        // Whose a task is says also who has made its agent.
        let agents: Vec<_> = named.tasks.values().map(|task| task.spec.agent_ref.name.clone()).collect();
        agents.iter().for_each(|agent| named.add_agent(&self.world.agents, &namespace, agent));
        named
    }

    fn add_tasks_of(&self, named: &mut Named, namespace: &str, agent: &str) {
        let tasks = AgentId::new(namespace, agent).map(|agent| self.agents.index.of(&agent)).unwrap_or_default();
        tasks.iter().for_each(|task| named.add_task(&self.agents.caches.tasks, namespace, task));
    }

    fn left(&self, office: &KomputerOffice, facts: &Facts) -> Left {
        Left { agents: facts.members.values().cloned().collect(), schedules: self.schedules_of(office) }
    }

    fn schedules_of(&self, office: &KomputerOffice) -> Vec<Arc<KomputerSchedule>> {
        let is_own = |schedule: &Arc<KomputerSchedule>| {
            schedule.metadata.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == office.uid().as_ref())
        };
        self.schedules.state().into_iter().filter(is_own).collect()
    }
}

/// The office that answers the manager.
pub(crate) fn oldest_office(
    offices: &Store<KomputerOffice>,
    namespace: Option<&str>,
    manager: &str,
) -> Option<Arc<KomputerOffice>> {
    let offices = offices
        .state()
        .into_iter()
        .filter(|office| office.metadata.namespace.as_deref() == namespace && office.spec.manager_ref.name == manager);
    offices.min_by_key(|office| (office.creation_timestamp(), office.name_any()))
}

impl Named {
    fn add_agent(&mut self, agents: &Store<KomputerAgent>, namespace: &str, name: &str) {
        let found = agents.get(&ObjectRef::new(name).within(namespace));
        self.agents.extend(found.map(|found| (name.to_owned(), found)));
    }

    fn add_task(&mut self, tasks: &Store<KomputerTask>, namespace: &str, name: &str) {
        let found = tasks.get(&ObjectRef::new(name).within(namespace));
        self.tasks.extend(found.map(|found| (name.to_owned(), found)));
    }
}
