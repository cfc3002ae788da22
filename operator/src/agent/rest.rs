//! When an agent without work may rest, and how.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use komputer_crds::{
    recurrence::duration,
    v1beta1::{AfterTask, Lifecycle, TaskCounts},
};

use super::observed::Observed;

/// What an agent without work does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It stays awake, at least until then where that is said.
    Awake(Option<Timestamp>),
    /// It needs no pod.
    Asleep,
    /// It has done all it was made for; its workspace stays until then, where that is said.
    Finished(Option<Timestamp>),
}

/// What the agent does while it has no work.
pub(super) fn of(observed: &Observed) -> Rest {
    if observed.its_pod().is_some() && !is_settled(observed) {
        return Rest::Awake(None);
    }
    let Lifecycle { after_task, idle_timeout, ttl_after_finished } =
        observed.agent.spec.lifecycle.clone().unwrap_or_default();
    let length = |text: Option<String>| text.as_deref().and_then(duration);
    let patience = match after_task.unwrap_or_default() {
        AfterTask::Delete if !has_worked(observed) => return Rest::Awake(None),
        AfterTask::Delete => {
            let until = length(ttl_after_finished).map(|ttl| after(idle_since(observed), ttl));
            return Rest::Finished(until.filter(|until| *until > observed.now));
        }
        AfterTask::Sleep => Some(length(idle_timeout).unwrap_or_default()),
        AfterTask::KeepRunning => length(idle_timeout),
    };
    match patience {
        None => Rest::Awake(None),
        Some(Duration::ZERO) => Rest::Asleep,
        Some(patience) => {
            let until = after(idle_since(observed), patience);
            if until > observed.now { Rest::Awake(Some(until)) } else { Rest::Asleep }
        }
    }
}

/// Whether all its tasks' statuses say that they have ended: who leads next wakes the agent for one that does not, and where
/// its workspace is gone, has it done once more.
fn is_settled(observed: &Observed) -> bool {
    observed.tasks.iter().all(|(task, _)| task.phase().is_terminal())
}

/// Whether it has had a task, which may be gone by now.
fn has_worked(observed: &Observed) -> bool {
    !observed.tasks.is_empty() || observed.summary.tasks != TaskCounts::default()
}

/// Since when there has been nothing to do: since the last task ended or, before any has, since the pod was ready or the
/// agent was made. One whose status does not say when it ended did just now.
fn idle_since(observed: &Observed) -> Timestamp {
    let ends = observed.tasks.iter().map(|(task, _)| {
        let ended = task.status.as_ref().and_then(|status| status.completion_time.as_ref());
        ended.map_or(observed.now, |ended| ended.0)
    });
    let ready = observed.its_pod().and_then(|pod| pod.status.ready_since());
    let made = observed.agent.metadata.creation_timestamp.as_ref().map(|made| made.0);
    ends.chain(ready).chain(made).max().unwrap_or(observed.now)
}

fn after(begin: Timestamp, length: Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    begin.checked_add(length).unwrap_or(Timestamp::MAX)
}
