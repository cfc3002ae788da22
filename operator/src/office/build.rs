//! From values to manifests. No decisions here.
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use komputer_crds::v1beta1::{
    self, AgentRef, KomputerAgent, KomputerAgentSpec, KomputerOffice, KomputerOfficeSpec, KomputerSchedule,
    KomputerScheduleSpec, KomputerTask, KomputerTaskSpec, Lifecycle, ScheduledTask, TemplateRef,
};
use komputer_events::office::{AfterTask, AskAgent, CreateAgent, CreateSchedule, Role};
use kube::{Resource, ResourceExt};
use sha2::{Digest, Sha256};

use crate::{agent::shared_labels, schedule::NONE_YET};

/// The annotation of what an office has made: the id of the manager's request.
pub const REQUEST: &str = "komputer.komputer.ai/request";

/// The label of what an office has made, as komputer.ai has it.
const OFFICE: &str = "komputer.ai/office";

/// How long a task that a manager has given stays after its end: long enough to read its result, and not for ever.
const TASK_TTL: &str = "168h";

/// The office of a manager that nobody has declared one for.
pub(crate) fn office(manager: &KomputerAgent) -> KomputerOffice {
    let spec = KomputerOfficeSpec {
        manager_ref: AgentRef { name: manager.name_any() },
        max_agents: None,
        max_depth: None,
        template_refs: Vec::new(),
    };
    let mut office = KomputerOffice::new(&format!("{}-office", manager.name_any()), spec);
    office.metadata.namespace = manager.namespace();
    office.metadata.labels = Some(shared_labels());
    office.metadata.owner_references = manager.controller_owner_ref(&()).map(|owner| vec![owner]);
    office
}

/// An agent that the manager asks for. It has what the manager has, and is in the same budgets.
pub(super) fn agent(office: &KomputerOffice, manager: &KomputerAgent, id: &str, asked: &CreateAgent) -> KomputerAgent {
    let own = &manager.spec;
    let after_task = match asked.after_task.unwrap_or(AfterTask::Sleep) {
        AfterTask::KeepRunning => v1beta1::AfterTask::KeepRunning,
        AfterTask::Sleep => v1beta1::AfterTask::Sleep,
        AfterTask::Delete => v1beta1::AfterTask::Delete,
    };
    let spec = KomputerAgentSpec {
        instructions: asked.instructions.clone(),
        system_prompt: asked.system_prompt.clone(),
        model: asked.model.clone().or_else(|| own.model.clone()),
        template_ref: asked.template.clone().map(|name| TemplateRef { name }).or_else(|| own.template_ref.clone()),
        role: Some(match asked.role {
            Some(Role::Manager) => v1beta1::Role::Manager,
            Some(Role::Worker) | None => v1beta1::Role::Worker,
        }),
        manager_ref: Some(AgentRef { name: manager.name_any() }),
        lifecycle: Some(Lifecycle { after_task: Some(after_task), ..Lifecycle::default() }),
        secret_refs: own.secret_refs.clone(),
        skills: own.skills.clone(),
        memories: own.memories.clone(),
        connectors: own.connectors.clone(),
        priority: own.priority,
        ..KomputerAgentSpec::default()
    };
    let mut agent = KomputerAgent::new(&asked.name, spec);
    agent.metadata = child_of(office, &asked.name, id, inherited(manager));
    agent.metadata.resource_version = Some(NONE_YET.into());
    agent
}

/// What the task is called that a request becomes: the same whoever makes it, so that nobody makes it twice.
pub(super) fn task_name(agent: &str, id: &str) -> String {
    format!("{agent}-{}", &hex::encode(Sha256::digest(id))[..8])
}

/// A task that the manager gives.
pub(super) fn task(office: &KomputerOffice, id: &str, asked: &AskAgent) -> KomputerTask {
    let spec = KomputerTaskSpec {
        agent_ref: AgentRef { name: asked.name.clone() },
        instructions: asked.instructions.clone(),
        ttl_after_finished: Some(TASK_TTL.into()),
        ..KomputerTaskSpec::default()
    };
    let name = task_name(&asked.name, id);
    let mut task = KomputerTask::new(&name, spec);
    task.metadata = child_of(office, &name, id, of_agent(&asked.name));
    task
}

/// A schedule that the manager asks for.
pub(super) fn schedule(office: &KomputerOffice, id: &str, asked: &CreateSchedule) -> KomputerSchedule {
    let spec = KomputerScheduleSpec {
        schedule: Some(asked.schedule.clone()),
        time_zone: asked.time_zone.clone(),
        task: ScheduledTask { instructions: asked.instructions.clone(), ..ScheduledTask::default() },
        agent_ref: Some(AgentRef { name: asked.agent.clone() }),
        ..KomputerScheduleSpec::default()
    };
    let mut schedule = KomputerSchedule::new(&asked.name, spec);
    schedule.metadata = child_of(office, &asked.name, id, of_agent(&asked.agent));
    schedule
}

fn of_agent(agent: &str) -> BTreeMap<String, String> {
    [("komputer.ai/agent-name".into(), agent.to_owned())].into()
}

/// The manager's labels, which budgets and people select by, without those that say who has put the manager there: what
/// bears them is taken for something of Git's that is in Git no more.
fn inherited(manager: &KomputerAgent) -> BTreeMap<String, String> {
    let says_whence = |key: &str| {
        let domain = key.split_once('/').map_or("", |(domain, _)| domain);
        ["app.kubernetes.io", "helm.sh"].contains(&domain)
            || ["argoproj.io", "fluxcd.io", "komputer.ai"].iter().any(|end| domain.ends_with(end))
    };
    manager.labels().clone().into_iter().filter(|(key, _)| !says_whence(key)).collect()
}

fn child_of(office: &KomputerOffice, name: &str, id: &str, more: BTreeMap<String, String>) -> ObjectMeta {
    let mut labels = more;
    labels.extend(shared_labels());
    labels.insert("app.kubernetes.io/instance".into(), name.into());
    labels.insert(OFFICE.into(), office.name_any());
    ObjectMeta {
        name: Some(name.into()),
        namespace: office.namespace(),
        labels: Some(labels),
        annotations: Some([(REQUEST.into(), id.into())].into()),
        owner_references: office.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..Default::default()
    }
}
