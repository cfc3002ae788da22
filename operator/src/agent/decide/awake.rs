//! An agent that is to be awake: what its pod needs, when it is replaced, and what is said to who is in it.
use k8s_openapi::api::core::v1::Pod;
use komputer_crds::v1beta1::StatusConditions;
use komputer_events::task::PORT;
use kube::ResourceExt;

use super::{
    LAST_POD, UNREAD, UNSEEN, Work,
    address::address,
    ending::{furnish, leaving, over, recovered},
    handover::calls,
    remove_pod, seated, short,
};
use crate::{
    agent::{
        build,
        observed::Observed,
        places::Place,
        pod_state::{self, PodState},
        rollout::{self, Outdated},
        status::Situation,
        template::Resolved,
        waves::Replacement,
        workspace,
    },
    budget::Predecessor,
    plan::{Child, Exactly},
};

/// Where the agent stands that is to be awake.
pub(super) fn awake(observed: &Observed, resolved: &Resolved, work: &mut Work) -> Situation {
    let agent = &*observed.agent;
    work.pod_failure = agent.status.as_ref().and_then(|status| status.pod_failure.clone());
    if !observed.namespace_is_prepared {
        work.apply.extend(namespace(observed));
    }
    if let Some(membership) = &observed.squad
        && !observed.has_own_pod()
    {
        grow(observed, resolved, work);
        return seated::seated(observed, membership, resolved, work);
    }
    match observed.place {
        Place::Given => {}
        Place::Waits { position, limit } => return Situation::Queued { position, limit },
        Place::Unknown => return Situation::Starting(LAST_POD.into()),
    }
    grow(observed, resolved, work);
    let running = observed.works();
    let Some(pod) = observed.pod.as_deref() else {
        if observed.predecessor == Predecessor::Unknown {
            return Situation::Starting(UNREAD.into());
        }
        work.apply.extend(prepare(observed, resolved));
        let wanted = build::pod(agent, resolved, &observed.settings, &observed.master);
        work.apply.push(Child::Pod(Box::new(replacing(wanted, observed.replacement))));
        work.again_at(observed.now + UNSEEN);
        return Situation::Starting(pod_state::STARTING.into());
    };
    let outdated = rollout::is_outdated(observed);
    let state = pod_state::of(pod);
    let is_there = !matches!(state, PodState::Leaving(_) | PodState::Over(_));
    if is_there && observed.squad.is_some() && !running {
        remove_pod(observed, work);
        return Situation::Starting("The agent moves into the pod of its squad".into());
    }
    if outdated && is_there {
        match rollout::of(agent, &resolved.template, &state, (running, observed.replacement)) {
            Outdated::Replace => {
                remove_pod(observed, work);
                return Situation::Starting("The pod is being replaced, because its template changed".into());
            }
            Outdated::Keep(remark) => work.remarks.push(remark),
        }
    }
    match state {
        PodState::Leaving(until) => leaving(observed, until, work),
        PodState::Over(why) => over(observed, pod, &why, work),
        PodState::Lacks(what) => {
            work.apply.push(own_secret(observed, resolved));
            Situation::WaitsForSecret(what)
        }
        PodState::Fails(trouble) => Situation::Fails(trouble),
        PodState::Starting(message) => {
            furnish(observed, pod, resolved, work);
            Situation::Starting(message)
        }
        PodState::Ready { ip } => {
            recovered(observed, pod, work);
            work.calls = calls(observed, resolved, &address(observed, pod, ip, PORT));
            match short(observed, work) {
                Some(situation) => situation,
                None if running || !work.calls.is_empty() => Situation::Working,
                None => Situation::Idle,
            }
        }
    }
}

/// The pod, which says whether it is in the place of another: nobody makes a new one because of that.
fn replacing(mut pod: Pod, replacement: Replacement) -> Pod {
    if replacement == Replacement::Granted {
        pod.annotations_mut().insert(build::REPLACEMENT.into(), "true".into());
    }
    pod
}

/// Has the workspace grow, or says why it does not. The cluster may refuse: a busy agent asks only once.
fn grow(observed: &Observed, resolved: &Resolved, work: &mut Work) {
    let Some(volume) = observed.volume.as_deref() else { return };
    let wanted = build::storage(&observed.agent, &resolved.template);
    let Some(difference) = workspace::difference(&wanted, volume, observed.volume_can_grow) else { return };
    let before = observed.agent.status.as_ref().map_or(&[][..], StatusConditions::conditions);
    let is_new = before.iter().all(|condition| condition.message != difference.remark.message);
    let is_idle = !observed.works();
    let size = difference.grow.filter(|_| is_new || is_idle);
    work.last = size.map(|size| Child::VolumeSize(Exactly::of(volume), size));
    work.remarks.push(difference.remark);
}

/// What agents of the namespace share. A policy that is taken away comes back: agents are hostile.
pub(crate) fn namespace(observed: &Observed) -> impl Iterator<Item = Child> {
    let namespace = observed.agent.namespace().unwrap_or_default();
    let account = Child::ServiceAccount(Box::new(build::service_account(&namespace)));
    let policies = build::network_policies(&namespace, &observed.settings.namespace);
    std::iter::once(account).chain(policies.map(|policy| Child::NetworkPolicy(Box::new(policy))))
}

/// What a new pod needs around it.
pub(crate) fn prepare(observed: &Observed, resolved: &Resolved) -> impl Iterator<Item = Child> {
    let volume = || Child::Volume(Box::new(build::volume(&observed.agent, &resolved.template)));
    let volume = observed.volume.is_none().then(volume);
    volume.into_iter().chain([own_secret(observed, resolved)])
}

pub(super) fn own_secret(observed: &Observed, resolved: &Resolved) -> Child {
    Child::Secret(Box::new(build::secret(&observed.agent, &resolved.key, &observed.master)))
}
