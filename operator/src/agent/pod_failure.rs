//! Pods that end for good before their time: counted, so that the next is made after a while that grows.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use komputer_crds::v1beta1::PodFailure;
use kube::ResourceExt;

use super::AgentPod;

/// The wait after the second failure in a row, doubled with each one more: as the kubelet does for containers.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// How long a pod has to be ready before failures are forgotten.
const RECOVERY: Duration = Duration::from_mins(10);
/// Characters of a message that are kept.
const MESSAGE: usize = 256;

/// What is to come of a pod that has ended for good.
pub(crate) struct Ended {
    /// What is remembered of it.
    pub(crate) failure: PodFailure,
    /// Until when it keeps its place, where it does: the more of them have ended, the longer.
    pub(crate) stays_until: Option<Timestamp>,
    /// For people.
    pub(crate) message: String,
}

/// What is to come of `pod`, which has ended, after the one before it.
pub(crate) fn ended(before: Option<&PodFailure>, pod: &AgentPod, why: &str, now: Timestamp) -> Ended {
    let failure = after(before, pod, why, now);
    let stays_until = Some(due(&failure)).filter(|due| *due > now);
    let message = match stays_until {
        None => format!("{why}; a new one follows"),
        Some(due) => format!("{why}; as the {} pods in a row before it; a new one follows at {due}", failure.count - 1),
    };
    Ended { failure, stays_until, message }
}

/// What pods before it ended of is forgotten once a pod has been ready for a while; answers when that is.
pub(crate) fn recover(failure: &mut Option<PodFailure>, pod: &AgentPod, now: Timestamp) -> Option<Timestamp> {
    let time = pod.status.ready_since().map(|since| later(since, RECOVERY)).filter(|_| failure.is_some())?;
    if time <= now {
        *failure = None;
    }
    Some(time).filter(|time| *time > now)
}

/// The failure of `pod`, after the one before it.
fn after(before: Option<&PodFailure>, pod: &AgentPod, why: &str, now: Timestamp) -> PodFailure {
    let uid = pod.uid().unwrap_or_default();
    match before {
        Some(before) if before.pod_uid == uid => before.clone(),
        _ => PodFailure {
            pod_uid: uid,
            count: before.map_or(0, |before| before.count).saturating_add(1),
            message: why.chars().take(MESSAGE).collect(),
            time: Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
        },
    }
}

/// When the pod that failed makes room for another.
fn due(failure: &PodFailure) -> Timestamp {
    let doublings = u32::try_from(failure.count - 2).ok();
    let wait = doublings.map_or(Duration::ZERO, |doublings| FIRST_WAIT * 2_u32.saturating_pow(doublings.min(8)));
    later(failure.time.0, wait.min(LONGEST_WAIT))
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_counts_once_and_waits_longer() {
        let mut pod = AgentPod::default();
        let mut before: Option<PodFailure> = None;
        let waits: Vec<_> = (0..8)
            .map(|index| {
                pod.metadata.uid = Some(format!("p{index}"));
                let first = after(before.as_ref(), &pod, "Evicted", Timestamp::UNIX_EPOCH);
                let again = after(Some(&first), &pod, "other words", Timestamp::MAX);
                assert_eq!(again, first);
                before = Some(again);
                due(&first).as_second()
            })
            .collect();
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        let most = PodFailure { count: i32::MAX, ..before.unwrap() };
        assert_eq!(due(&most).as_second(), 300);
    }
}
