//! What to do about a task: only its status is written; handing it over is the agent's controller's.
use std::time::Duration;

use komputer_crds::v1beta1::{KomputerTaskStatus, TaskPhase};

use super::{observe::Observed, status};
use crate::plan::Plan;

/// The slowest a running task's progress is shown (DESIGN 1.3); its end is shown at once.
pub const PROGRESS: Duration = Duration::from_secs(5);

/// What to do about a task.
pub fn decide(observed: &Observed) -> Plan<KomputerTaskStatus> {
    let wanted = status::of(observed);
    let before = observed.task.status.as_ref();
    let (status, again) = if before == Some(&wanted) {
        (None, None)
    } else {
        let since = observed.written.map(|written| observed.now.duration_since(written).unsigned_abs());
        match since {
            Some(since) if since < PROGRESS && before.is_some_and(|before| only_progress(before, &wanted)) => {
                (None, Some(PROGRESS.saturating_sub(since)))
            }
            _ => (Some(wanted), None),
        }
    };
    Plan { remove: vec![], apply: vec![], calls: vec![], status, again }
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
