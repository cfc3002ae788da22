//! What to do about a task: its status is written, and it goes when its time is over; handing it over is the agent's
//! controller's.
use jiff::{SignedDuration, Timestamp};
use komputer_crds::{
    recurrence::duration,
    v1beta1::{KomputerTask, KomputerTaskStatus, TaskPhase},
};

use super::{observe::Observed, status};
use crate::{
    plan::{Exactly, Plan, Removal},
    status::{Written, show},
};

/// What to do about a task.
pub fn decide(observed: &Observed) -> Plan<KomputerTaskStatus> {
    let task = &*observed.task;
    let written = Written { status: task.status.as_ref(), at: observed.written };
    let mut plan = Plan::nothing();
    match kept_until(task) {
        Some(until) if until <= observed.now => plan.remove.push(Removal::Task(Exactly::of(task))),
        until => plan.again = until.map(|until| until.duration_since(observed.now).unsigned_abs()),
    }
    show(plan, written, status::of(observed), only_progress, observed.now)
}

/// Until when a task is kept whose end is in its status; nothing where it stays.
fn kept_until(task: &KomputerTask) -> Option<Timestamp> {
    let status = task.status.as_ref().filter(|_| task.phase().is_terminal())?;
    let time = duration(task.spec.ttl_after_finished.as_deref()?)?;
    status.completion_time.as_ref()?.0.checked_add(SignedDuration::try_from(time).ok()?).ok()
}

/// Whether the two differ only in what changes all the time while a task runs.
fn only_progress(before: &KomputerTaskStatus, wanted: &KomputerTaskStatus) -> bool {
    let still = |status: &KomputerTaskStatus| KomputerTaskStatus {
        message: None,
        cost_usd: None,
        tokens: None,
        turns: None,
        cursor: None,
        ..status.clone()
    };
    wanted.phase == Some(TaskPhase::Running) && still(before) == still(wanted)
}
