//! What to do about an agent. Pure: everything it knows stands in [`Observed`].
mod address;
mod awake;
mod ending;
mod handover;
mod seated;
mod shown;
#[cfg(test)]
mod tests;

pub(crate) use address::address_of;
pub(crate) use awake::{namespace, prepare};

use std::time::Duration;

use jiff::Timestamp;
use komputer_crds::{
    v1beta1::{KomputerAgentStatus, PodFailure},
    validate::{self, Kind},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use self::{
    awake::awake,
    handover::{endings, model},
};
use super::{
    instructions,
    knowledge::Knowledge,
    observed::Observed,
    rest::{self, Rest},
    spending,
    status::{self, Situation},
    template::{ModelKey, Resolved},
};
use crate::{
    budget::Predecessor,
    conditions::Remark,
    office::made_office,
    plan::{Call, Child, Exactly, Plan, Removal},
    status::{Written, show},
    vault::{self, Opened, Secrets},
};

/// What to do about an agent.
pub fn decide(observed: &Observed) -> Plan<KomputerAgentStatus> {
    let mut work = Work::default();
    let situation = match purpose(observed, &mut work) {
        Ok(resolved) => awake(observed, resolved, &mut work),
        Err(situation) => {
            if work.remove.is_empty() && situation != Situation::Deleting {
                work.calls = endings(observed);
            }
            situation
        }
    };
    plan(observed, work, situation)
}

/// The template an agent is to be awake by; nothing where it needs no pod, or can have none.
pub(super) fn wanted(observed: &Observed) -> Option<&Resolved> {
    purpose(observed, &mut Work::default()).ok()
}

/// Whether a squad's pod is to have a place for its member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attendance<'a> {
    /// None: the agent is suspended or has finished, or cannot run.
    Absent,
    /// One, where there is a pod anyway.
    Resting(&'a Resolved),
    /// One, for which there is to be a pod; where it is said, only until then.
    Awake(&'a Resolved, Option<Timestamp>),
}

/// Whether the agent's squad is to have a place for it.
pub(crate) fn attendance(observed: &Observed) -> Attendance<'_> {
    let mut work = Work::default();
    let able = stands(observed, &mut work).and_then(|has_work| {
        taught(observed)?;
        Ok((has_work, template(observed)?))
    });
    match able {
        Err(_) => Attendance::Absent,
        Ok(_) if follows(observed) => Attendance::Absent,
        Ok((true, resolved)) if is_kept_asleep(observed) || observed.predecessor == Predecessor::Unknown => {
            Attendance::Resting(resolved)
        }
        Ok((true, resolved)) => Attendance::Awake(resolved, None),
        Ok((false, resolved)) => match rest::of(observed) {
            Rest::Finished(_) => Attendance::Absent,
            Rest::Asleep => Attendance::Resting(resolved),
            Rest::Awake(until) => Attendance::Awake(resolved, until),
        },
    }
}

/// Whether a budget keeps the agent's task from going on, and no pod is there that stays.
fn is_kept_asleep(observed: &Observed) -> bool {
    observed.funds.shortage.is_some() && observed.its_pod().is_none()
}

/// Whether the agent has to wait for another of its name, whose stream it goes on with.
fn follows(observed: &Observed) -> bool {
    observed.predecessor == Predecessor::Leaving && !observed.has_pod()
}

/// What is said while the last pod keeps the next from being made.
const LAST_POD: &str = "The last pod is going; a new one follows";

/// What is said while another agent of the same name is not over.
const PREDECESSOR: &str = "Another agent of this name was deleted, and is not gone yet with all that it said";

/// What is said while nobody knows whether there is one.
const UNREAD: &str = "It waits for Redis, which knows what agents have cost that were deleted";

/// How long the cache may take to show a pod. A watch that begins anew never shows one that has come and gone meanwhile.
const UNSEEN: Duration = Duration::from_secs(30);

/// What is to be done beside the status.
#[derive(Default)]
struct Work {
    remove: Vec<Removal>,
    apply: Vec<Child>,
    calls: Vec<Call>,
    /// When to decide again although nothing changes.
    until: Option<Timestamp>,
    /// What the cluster may refuse.
    last: Option<Child>,
    /// What is true of it beside where it stands.
    remarks: Vec<Remark>,
    /// What pods ended of before their time.
    pod_failure: Option<PodFailure>,
}

impl Work {
    /// Decides again at that time, or before.
    fn again_at(&mut self, time: Timestamp) {
        self.until = self.until.into_iter().chain([time]).min();
    }
}

/// The template the agent is to be awake by, or where it stands without.
fn purpose<'a>(observed: &'a Observed, work: &mut Work) -> Result<&'a Resolved, Situation> {
    if !stands(observed, work)?
        && let Some(situation) = rests(observed, work)
    {
        return Err(situation);
    }
    taught(observed)?;
    let resolved = template(observed)?;
    if follows(observed) {
        return Err(Situation::Starting(PREDECESSOR.into()));
    }
    if let Some(shortage) = &observed.funds.shortage {
        shortage.until.into_iter().for_each(|until| work.again_at(until));
        if is_kept_asleep(observed) {
            return Err(Situation::WaitsForBudget(shortage.clone()));
        }
    }
    Ok(resolved)
}

/// Where the agent stands whose task a budget keeps from going on, or what is missing to open its connectors.
fn short(observed: &Observed, work: &mut Work) -> Option<Situation> {
    if let Some(shortage) = &observed.funds.shortage {
        return Some(Situation::WaitsForBudget(shortage.clone()));
    }
    match &observed.secrets {
        Opened::Lacks(what) => {
            work.again_at(observed.now + vault::AGAIN);
            Some(Situation::WaitsForLogin(what.clone()))
        }
        Opened::Complete(Secrets { until: Some(until), .. }) => {
            work.again_at((*until).max(observed.now + vault::AGAIN));
            None
        }
        _ => None,
    }
}

/// Whether the agent has work, or why it can do none.
fn stands(observed: &Observed, work: &mut Work) -> Result<bool, Situation> {
    let agent = &*observed.agent;
    if agent.metadata.deletion_timestamp.is_some() || observed.namespace_is_going {
        return Err(Situation::Deleting); // garbage collection does the rest
    }
    let task = instructions::task(agent, instructions::status(agent).as_ref());
    let has_work = task.is_some() || observed.tasks.iter().any(|(_, phase)| !phase.is_terminal());
    work.apply.extend(task.map(|task| Child::Task(Box::new(task))));
    work.apply.extend(observed.lacks_office.then(|| Child::Office(Box::new(made_office(agent)))));
    if let Some(situation) = foreign_child(observed) {
        return Err(situation);
    }
    if let Some(cause) = validate::cause_of_name(Kind::Agent, &agent.name_any()) {
        return Err(Situation::Invalid(cause.to_string())); // its tasks could not be named after it
    }
    if let Some(causes) = invalid(observed) {
        return Err(Situation::Invalid(causes)); // what runs goes on; nothing is made from what admission would refuse
    }
    if let Some(cause) = validate::circle(&agent.name_any(), &observed.managers) {
        return Err(Situation::ManagesItself(cause.to_string()));
    }
    if agent.spec.suspend == Some(true) {
        remove_pod(observed, work);
        return Err(Situation::Suspended);
    }
    Ok(has_work)
}

/// Whether there is all that the agent is to know.
fn taught(observed: &Observed) -> Result<(), Situation> {
    match &observed.knowledge {
        Knowledge::Complete(_) => Ok(()),
        Knowledge::Lacks(what) => Err(Situation::LacksKnowledge(what.clone())),
        Knowledge::NotShared(what) => Err(Situation::KnowledgeNotShared(what.clone())),
        Knowledge::Unusable(what) => Err(Situation::ConnectorUnusable(what.clone())),
    }
}

/// How an agent without work stands where it needs no pod.
fn rests(observed: &Observed, work: &mut Work) -> Option<Situation> {
    match rest::of(observed) {
        Rest::Awake(until) => {
            work.until = until;
            None
        }
        // In a squad all are awake, or none.
        Rest::Asleep if observed.seat().is_some() => None,
        Rest::Asleep => {
            remove_pod(observed, work);
            Some(Situation::Sleeping)
        }
        Rest::Finished(until) => {
            remove_pod(observed, work);
            work.until = until;
            let volume = observed.volume.as_deref().filter(|_| until.is_none() && observed.seat().is_none());
            work.remove.extend(volume.map(|volume| Removal::Volume(Exactly::of(volume))));
            Some(Situation::Finished { until })
        }
    }
}

/// The agent's template, where it has one that can give it a key.
fn template(observed: &Observed) -> Result<&Resolved, Situation> {
    Err(match &observed.template {
        None => Situation::WaitsForTemplate(status::template_name(&observed.agent).to_owned()),
        Some(Resolved { key: ModelKey::Missing(secret), .. }) => {
            Situation::WaitsForKey { namespace: observed.settings.namespace.clone(), secret: secret.clone() }
        }
        Some(Resolved { key: ModelKey::NotGranted(secret), .. }) => Situation::KeyNotGranted(secret.clone()),
        Some(resolved) => return Ok(resolved),
    })
}

/// What is wrong with the agent or its template: admission refuses it, but may have been passed by, or be newer.
fn invalid(observed: &Observed) -> Option<String> {
    let of = |kind, spec: serde_json::Result<Value>| {
        let causes = validate::causes(kind, &json!({ "spec": spec.ok()? }));
        (!causes.is_empty()).then(|| validate::message(&causes))
    };
    let agent = of(Kind::Agent, serde_json::to_value(&observed.agent.spec));
    agent.or_else(|| {
        let template = &observed.template.as_ref()?.template;
        let causes = of(Kind::Template, serde_json::to_value(template))?;
        Some(format!("template {}: {causes}", status::template_name(&observed.agent)))
    })
}

/// A pod or volume of the agent's name that somebody else made is not ours to judge or to touch.
fn foreign_child(observed: &Observed) -> Option<Situation> {
    let name = observed.agent.name_any();
    if observed.pod.as_deref().is_some_and(|pod| !observed.owns(pod)) {
        return Some(Situation::WaitsForName { kind: "Pod", name });
    }
    let volume = observed.volume.as_deref()?;
    (!observed.owns(volume) || volume.metadata.deletion_timestamp.is_some())
        .then_some(Situation::WaitsForName { kind: "PersistentVolumeClaim", name })
}

fn remove_pod(observed: &Observed, work: &mut Work) {
    let pod = observed.pod.as_deref().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    work.remove.extend(pod.map(|pod| Removal::Pod(Exactly::of(pod))));
}

/// The agent, where a workspace is made that it may have had: caches of a process that has just begun may show an agent that is
/// gone, and that what it had is gone already.
fn lost(observed: &Observed, work: &Work) -> Option<Exactly> {
    let has_been_seen = observed.agent.status.as_ref()?.observed_generation.is_some_and(|seen| seen >= 0);
    let makes_volume = work.apply.iter().any(|child| matches!(child, Child::Volume(_)));
    (has_been_seen && makes_volume).then(|| Exactly::of(&*observed.agent))
}

fn plan(observed: &Observed, work: Work, situation: Situation) -> Plan<KomputerAgentStatus> {
    let model = model(observed, observed.template.as_ref());
    let again = work.until.map(|until| until.duration_since(observed.now).unsigned_abs());
    let mut plan = Plan {
        present: lost(observed, &work).into_iter().collect(),
        remove: work.remove,
        apply: work.apply,
        calls: work.calls,
        last: work.last,
        again,
        ..Plan::nothing()
    };
    plan.is_patient = shown::says_little(observed, &situation);
    if let Some(left) = shown::left(observed).filter(|_| plan.is_patient) {
        plan.statement = spending::statement(observed, false);
        return plan.without_status(left);
    }
    let written = Written { status: observed.agent.status.as_ref(), at: observed.written };
    let wanted = status::of(observed, model, situation, work.remarks, work.pod_failure);
    let plan = show(plan, written, wanted, status::only_progress, observed.now);
    Plan { statement: spending::statement(observed, plan.status.is_some()), ..plan }
}
