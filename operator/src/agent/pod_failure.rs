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

/// The failure of `pod`, after the one before it.
pub(super) fn after(before: Option<&PodFailure>, pod: &AgentPod, why: &str, now: Timestamp) -> PodFailure {
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
pub(super) fn due(failure: &PodFailure) -> Timestamp {
    let doublings = u32::try_from(failure.count - 2).ok();
    let wait = doublings.map_or(Duration::ZERO, |doublings| FIRST_WAIT * 2_u32.saturating_pow(doublings.min(8)));
    later(failure.time.0, wait.min(LONGEST_WAIT))
}

/// Until when failures are remembered while the pod is ready.
pub(super) fn forgotten_at(pod: &AgentPod) -> Option<Timestamp> {
    pod.status.ready_since().map(|since| later(since, RECOVERY))
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
