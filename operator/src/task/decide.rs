//! What to do about a task: only its status is written; handing it over is the agent's controller's.
use komputer_crds::v1beta1::{KomputerTaskStatus, TaskPhase};

use super::{observe::Observed, status};
use crate::{
    plan::Plan,
    status::{Written, show},
};

/// What to do about a task.
pub fn decide(observed: &Observed) -> Plan<KomputerTaskStatus> {
    let written = Written { status: observed.task.status.as_ref(), at: observed.written };
    show(Plan::nothing(), written, status::of(observed), only_progress, observed.now)
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
