//! What an agent may cost, and what becomes of what it has cost.
use komputer_crds::v1beta1::{KomputerTask, TaskAllowance, TaskPhase};
use komputer_events::task::Allowance;
use kube::ResourceExt;

use super::observed::Observed;
use crate::{
    budget::{Counted, Grant, Statement, Work},
    fold::AgentSummary,
    task::replacement,
};

/// The task that is handed over: the running one or, where there is none, the oldest that waits.
pub(super) fn next_task(observed: &Observed) -> Option<&(std::sync::Arc<KomputerTask>, TaskPhase)> {
    let begins = observed.squad.as_ref().is_none_or(|membership| membership.begins);
    let open = observed.tasks.iter().filter(|(task, phase)| {
        let never_begins =
            *phase == TaskPhase::Pending && (!begins || task.spec.cancel == Some(true) || is_replaced(observed, task));
        !phase.is_terminal() && !never_begins && task.metadata.deletion_timestamp.is_none()
    });
    open.min_by_key(|(_, phase)| *phase != TaskPhase::Running)
}

/// Whether a task after it takes its place.
pub(super) fn is_replaced(observed: &Observed, task: &KomputerTask) -> bool {
    replacement(task, observed.tasks.iter().map(|(task, _)| &**task)).is_some()
}

/// A task that runs although its object was deleted, or ended before the agent began: nobody wants it any more.
pub(super) fn abandoned(observed: &Observed) -> Option<String> {
    let running = observed.summary.last_task.as_ref().filter(|last| last.phase == "Running")?;
    let mut tasks = observed.tasks.iter();
    let is_wanted = tasks.any(|(task, _)| task.metadata.uid.as_ref() == Some(&running.uid) && !task.never_began());
    (!is_wanted).then(|| running.uid.clone())
}

/// What costs something next. A task that is to end keeps what it was given until it has, and no other gets anything.
pub(super) fn work(observed: &Observed) -> Option<Work> {
    let recorded = recorded(observed);
    if let Some(uid) = abandoned(observed).filter(|uid| recorded.is_some_and(|recorded| recorded.task_uid == *uid)) {
        return Some(Work::new(uid, false, &observed.summary, recorded));
    }
    let is_going = observed.agent.metadata.deletion_timestamp.is_some();
    if is_going && observed.its_pod().is_none() {
        // What it may have spent is set aside until all that it said is counted.
        return recorded.map(|recorded| Work::new(recorded.task_uid.clone(), false, &observed.summary, Some(recorded)));
    }
    let (task, _) = next_task(observed)?;
    Some(Work::new(task.uid()?, !is_going, &observed.summary, recorded))
}

fn recorded(observed: &Observed) -> Option<&TaskAllowance> {
    observed.agent.status.as_ref()?.allowance.as_ref()
}

/// What the agent is told now; nothing where that has to be in its status first. More is told once that says so, and less
/// before: whatever an agent was told, and may spend, is in its status.
pub(super) fn told(observed: &Observed, task: &str) -> Option<Allowance> {
    if observed.funds.is_reading {
        return None;
    }
    let Some(Grant { up_to, budget }) = observed.funds.grant.clone() else {
        return recorded(observed).is_none().then(Allowance::default);
    };
    let work = observed.work.as_ref().filter(|work| work.task == task)?;
    let up_to = work.recorded_up_to()?.min(up_to);
    Some(Allowance { up_to_usd: Some(up_to), budget })
}

/// What the status says the task may cost.
pub(super) fn allowance(observed: &Observed) -> Option<TaskAllowance> {
    let (work, grant) = (observed.work.as_ref()?, observed.funds.grant.as_ref()?);
    Some(TaskAllowance {
        task_uid: work.task.clone(),
        up_to_usd: grant.up_to.to_string(),
        budget_name: grant.budget.clone(),
    })
}

/// What is to be kept of what the agent has cost, for when it is gone: before it may cost anything, before it may cost more,
/// and as often as its status is written, which has it too.
pub(super) fn statement(observed: &Observed, is_told: bool) -> Option<Statement> {
    let kept = observed.statement.as_deref();
    let Counted { budgets, reserved } = match &observed.funds.counted {
        Some(counted) => counted.clone(),
        None => kept.map(|_| Counted::default())?,
    };
    let AgentSummary { cursor, shares, .. } = &observed.summary;
    let (cursor, shares) = (*cursor, shares.clone());
    let wanted = Statement { agent: observed.id()?, uid: observed.uid().into(), cursor, shares, budgets, reserved };
    let is_due = kept.is_none_or(|kept| {
        is_told && *kept != wanted || kept.budgets != wanted.budgets || kept.reserved < wanted.reserved
    });
    (is_due && !observed.funds.is_reading).then_some(wanted)
}
