//! Pods that go, have ended before their time, or cannot begin.
use jiff::{SignedDuration, Timestamp};

use super::{LAST_POD, Work, remove_pod};
use crate::{
    agent::{
        AgentPod, build,
        observed::Observed,
        pod_failure::{self, Ended},
        pod_state::{Trouble, TroubleKind},
        status::Situation,
        template::Resolved,
    },
    plan::Child,
};

/// How long a workspace may take to be seen that was made before its pod.
const ARRIVAL: SignedDuration = SignedDuration::from_secs(5);

/// What is said of a pod that stays although it was deleted.
const STUCK_POD: &str = "It was deleted, and its node does not say that it has ended";

/// A pod that was deleted makes room, unless its node does not answer any more.
pub(super) fn leaving(observed: &Observed, until: Option<Timestamp>, work: &mut Work) -> Situation {
    match until {
        Some(until) if until <= observed.now => {
            Situation::Fails(Trouble { kind: TroubleKind::PodStuck, message: STUCK_POD.into() })
        }
        until => {
            until.into_iter().for_each(|until| work.again_at(until));
            Situation::Starting(LAST_POD.into())
        }
    }
}

/// A pod that ended for good makes room for another, the later the more of them did.
pub(super) fn over(observed: &Observed, pod: &AgentPod, why: &str, work: &mut Work) -> Situation {
    let Ended { failure, stays_until, message } = pod_failure::ended(work.pod_failure.as_ref(), pod, why, observed.now);
    match stays_until {
        None => remove_pod(observed, work),
        Some(until) => work.again_at(until),
    }
    work.pod_failure = Some(failure);
    Situation::Fails(Trouble { kind: TroubleKind::PodFailed, message })
}

/// A pod that was made while the workspace of before was seen, and gone already, would wait for one for ever.
pub(super) fn furnish(observed: &Observed, pod: &AgentPod, resolved: &Resolved, work: &mut Work) {
    let made = pod.metadata.creation_timestamp.as_ref().filter(|_| observed.volume.is_none());
    match made.and_then(|made| made.0.checked_add(ARRIVAL).ok()) {
        Some(due) if due > observed.now => work.again_at(due),
        Some(_) => work.apply.push(Child::Volume(Box::new(build::volume(&observed.agent, &resolved.template)))),
        None => {}
    }
}

/// What pods before it ended of is forgotten once a pod has been ready for a while.
pub(super) fn recovered(observed: &Observed, pod: &AgentPod, work: &mut Work) {
    if let Some(time) = pod_failure::recover(&mut work.pod_failure, pod, observed.now) {
        work.again_at(time);
    }
}
