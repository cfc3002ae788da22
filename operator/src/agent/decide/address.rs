//! Where an agent's server is.
use komputer_events::task::PORT;
use kube::ResourceExt;

use crate::{
    agent::{
        AgentPod, Membership,
        build::CONTAINER,
        observed::Observed,
        pod_state::{self, PodState},
    },
    keys::Audience,
    plan::PodAddress,
};

/// Where the agent can be told something now.
pub(crate) fn address_of(observed: &Observed) -> Option<PodAddress> {
    let (pod, state, port) = match (observed.pod.as_deref(), observed.squad.as_ref()) {
        (Some(pod), _) if observed.owns(pod) => (pod, pod_state::of(pod), PORT),
        (None, Some(Membership { pod: Some(pod), seat: Some(seat), .. })) => {
            (&**pod, pod_state::of_container(pod, &seat.container), seat.port)
        }
        _ => return None,
    };
    match state {
        PodState::Ready { ip } => Some(address(observed, pod, ip, port)),
        _ => None,
    }
}

pub(super) fn address(observed: &Observed, pod: &AgentPod, ip: String, port: u16) -> PodAddress {
    let token = observed.master.derive(Audience::AgentHttp, observed.uid());
    PodAddress { uid: pod.uid().unwrap_or_default(), restarts: restarts(observed, pod), ip, port, token }
}

fn restarts(observed: &Observed, pod: &AgentPod) -> i32 {
    let seat = observed.seat().filter(|_| !observed.has_own_pod());
    let container = seat.map_or(CONTAINER, |seat| &seat.container);
    let own = pod.status.container_statuses.iter().find(|status| status.name == container);
    own.map_or(0, |status| status.restart_count)
}
