//! What an agent may cost, and what becomes of what it has cost.
use komputer_crds::v1beta1::{KomputerTask, TaskAllowance, TaskPhase};
use komputer_events::task::Allowance;
use kube::ResourceExt;

use super::observed::Observed;
use crate::{
    budget::{Grant, Work},
    carry_out::FINALIZER,
    fold::AgentSummary,
    plan::Hold,
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

/// Whether nothing more can come of an agent that is going, as far as its status says: the stream is still to be read.
pub(super) fn may_be_settled(observed: &Observed) -> bool {
    let written = AgentSummary::from(&*observed.agent);
    let written = written.cursor == observed.summary.cursor && written.shares == observed.summary.shares;
    let is_going = observed.agent.metadata.deletion_timestamp.is_some();
    is_going && holds(observed) && observed.its_pod().is_none() && written && ends_are_written(observed)
}

/// Whether each task that has ended says so: another agent of that name would do it again.
fn ends_are_written(observed: &Observed) -> bool {
    observed.tasks.iter().all(|(task, phase)| !phase.is_terminal() || task.phase().is_terminal())
}

/// Whether the operator's finalizer keeps the agent.
pub(super) fn holds(observed: &Observed) -> bool {
    observed.agent.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// What becomes of the finalizer: an agent that budgets count has it before it costs anything.
pub(super) fn hold(observed: &Observed) -> Option<Hold> {
    let is_going = observed.agent.metadata.deletion_timestamp.is_some();
    let funds = &observed.funds;
    if !holds(observed) {
        return (funds.is_counted && !is_going).then_some(Hold::Take);
    }
    let may_go = !funds.is_counted || observed.namespace_is_going || is_going && funds.is_departed;
    may_go.then_some(Hold::Release)
}
