//! What an agent is told: its tasks, what they may cost and how they reach connectors, and what it is to know.
use komputer_crds::{
    DEFAULT_MODEL,
    recurrence::duration,
    v1beta1::{KomputerTask, TaskMode, TaskPhase},
};
use komputer_events::task::{Message, TaskRequest};
use kube::ResourceExt;

use super::{address::address_of, seated};
use crate::{
    agent::{Knowledge, Resolved, connectors, observed::Observed, spending},
    keys::Audience,
    plan::{Call, PodAddress},
    task::order,
    vault::Opened,
};

/// Tasks are handed over one at a time, oldest first; the running one too, for a pod that has not heard of it.
pub(super) fn calls(observed: &Observed, resolved: &Resolved, pod: &PodAddress) -> Vec<Call> {
    let mut calls: Vec<_> =
        spending::abandoned(observed).map(|uid| Call::CancelTask { pod: pod.clone(), uid }).into_iter().collect();
    let Some((task, phase)) = spending::next_task(observed) else { return calls };
    let uid = task.uid().unwrap_or_default();
    let Some(allowance) = spending::told(observed, &uid) else { return calls };
    calls.push(Call::Allow { pod: pod.clone(), uid: uid.clone(), allowance });
    if observed.funds.shortage.is_some() && *phase == TaskPhase::Pending {
        return calls; // it begins when there is something for it
    }
    let request = Box::new(request(observed, resolved, task));
    if let Knowledge::Complete(sources) = &observed.knowledge {
        calls.push(Call::Teach { pod: pod.clone(), sources: sources.clone() });
    }
    match connect(observed, pod, &uid) {
        Ok(connect) => calls.extend(connect),
        Err(Unopened) if *phase == TaskPhase::Pending => return calls, // it begins once they can be opened
        Err(Unopened) => {}
    }
    calls.push(Call::PutTask { pod: pod.clone(), uid: uid.clone(), request });
    if is_to_end(observed, task) {
        calls.push(Call::CancelTask { pod: pod.clone(), uid });
    } else if *phase == TaskPhase::Running {
        calls.extend(steering(observed, task, pod));
    }
    calls
}

/// What is to end does so also while there is not all that the agent is to work with.
pub(super) fn endings(observed: &Observed) -> Vec<Call> {
    let Some(pod) = address_of(observed) else { return Vec::new() };
    let running = observed.tasks.iter().find(|(_, phase)| *phase == TaskPhase::Running);
    let unwanted = running.filter(|(task, _)| is_to_end(observed, task)).and_then(|(task, _)| task.uid());
    let all = spending::abandoned(observed).into_iter().chain(unwanted);
    all.map(|uid| Call::CancelTask { pod: pod.clone(), uid }).collect()
}

/// What opens the connectors has not been read.
struct Unopened;

/// How the task reaches its connectors, where the agent has any.
fn connect(observed: &Observed, pod: &PodAddress, task: &str) -> Result<Option<Call>, Unopened> {
    if observed.connectors.is_empty() {
        return Ok(None);
    }
    let Opened::Complete(secrets) = &observed.secrets else { return Err(Unopened) };
    let connectors = connectors::told(&observed.connectors, &secrets.by_key);
    let seal = observed.master.derive(Audience::Sealed, observed.uid());
    Ok(Some(Call::Connect { pod: pod.clone(), task: task.into(), connectors, seal }))
}

fn is_to_end(observed: &Observed, task: &KomputerTask) -> bool {
    task.spec.cancel == Some(true) || spending::is_replaced(observed, task)
}

/// What is said in the middle of the running task, and what is taken back: that nobody has read it is the agent's to know.
fn steering(observed: &Observed, running: &KomputerTask, pod: &PodAddress) -> impl Iterator<Item = Call> {
    let after = observed.tasks.iter().filter(|(task, _)| order(task) > order(running));
    after.filter(|(task, _)| task.spec.mode == Some(TaskMode::Steer)).filter_map(|(task, phase)| {
        let (pod, uid) = (pod.clone(), task.uid()?);
        if is_to_end(observed, task) {
            return (!phase.is_terminal() || task.never_began()).then_some(Call::CancelTask { pod, uid });
        }
        let is_new = *phase == TaskPhase::Pending && task.metadata.deletion_timestamp.is_none();
        let message = Message { text: task.spec.instructions.clone(), deadline_ms: deadline_ms(task) };
        is_new.then(|| Call::Steer { pod, task: running.uid().unwrap_or_default(), uid, message })
    })
}

fn deadline_ms(task: &KomputerTask) -> Option<u64> {
    task.spec.deadline.as_deref().and_then(duration)?.as_millis().try_into().ok()
}

fn request(observed: &Observed, resolved: &Resolved, task: &KomputerTask) -> TaskRequest {
    TaskRequest {
        name: task.name_any(),
        instructions: task.spec.instructions.clone(),
        model: task.spec.model.clone().unwrap_or_else(|| model(observed, Some(resolved))),
        system_prompt: system_prompt(observed),
        max_cost_usd: task.spec.max_cost_usd.as_ref().and_then(|cost| cost.parse().ok()),
        max_turns: task.spec.max_turns.and_then(|turns| u32::try_from(turns).ok()),
        retries: task.spec.retries.and_then(|retries| u32::try_from(retries).ok()).unwrap_or_default(),
        deadline_ms: deadline_ms(task),
        compact: task.spec.compact == Some(true),
    }
}

/// What the agent's spec says and, in a squad, where the others' workspaces are.
fn system_prompt(observed: &Observed) -> Option<String> {
    let given = observed.agent.spec.system_prompt.clone();
    let company = observed.squad.as_ref().and_then(|membership| seated::company(observed, membership));
    match (given, company) {
        (Some(given), Some(company)) => Some(format!("{given}\n\n{company}")),
        (given, company) => given.or(company),
    }
}

pub(super) fn model(observed: &Observed, resolved: Option<&Resolved>) -> String {
    let template = || resolved?.template.model.as_ref()?.name.clone();
    observed.agent.spec.model.clone().or_else(template).unwrap_or_else(|| DEFAULT_MODEL.into())
}
