//! The shared pod: who sits in it, and when it is made, replaced and removed.
use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use komputer_crds::v1beta1::{Rollout, SquadPhase};
use kube::{Resource, ResourceExt};

use super::{
    decide::Work,
    members,
    observe::{Member, Observed},
    shared_pod_name,
    status::Stand,
};
use crate::{
    agent::{
        self, AgentPod, Attendance, Ended, MANIFEST_HASH, Place, PodState, SeatedAgent, attendance, differs,
        metadata_of_shared_pod, namespace, of_container, prepare, rollout_of, shared_pod,
    },
    conditions::Progress,
    plan::{Child, Exactly, Removal},
};

/// Who is to sit in the pod.
#[derive(Default)]
pub(super) struct Seating<'a> {
    seated: Vec<(&'a agent::Observed, SeatedAgent<'a>)>,
    /// Whether somebody has to be awake.
    wakes: bool,
    /// Until when, where nobody has work.
    until: Option<Timestamp>,
    /// What keeps members out for whom there is no place beside the others.
    pub(super) misfits: Vec<String>,
}

/// Who is to sit in the pod: members that can run and are in no other pod. The first decides what a pod has once.
pub(super) fn seating(observed: &Observed) -> Seating<'_> {
    let mut seating = Seating::default();
    if observed.squad.spec.break_up == Some(true) {
        return seating;
    }
    for (index, member) in observed.members.iter().enumerate() {
        let Some(agent) = free(observed, member) else { continue };
        let (resolved, until) = match attendance(agent) {
            Attendance::Absent => continue,
            Attendance::Resting(resolved) => (resolved, None),
            Attendance::Awake(resolved, until) => (resolved, Some(until)),
        };
        let seat = SeatedAgent { agent: &agent.agent, resolved, access: member.spec.access.unwrap_or_default() };
        let misfit = seating.seated.first().and_then(|(_, first)| {
            Some(format!(
                "spec.members[{index}]: the pod template of {} has another {} than that of {}, and a pod has one; make \
                 them equal",
                member.spec.name,
                differs(first, &seat, &observed.settings)?,
                first.agent.name_any(),
            ))
        });
        if let Some(misfit) = misfit {
            seating.misfits.push(misfit);
            continue;
        }
        seating.seated.push((agent, seat));
        if let Some(until) = until {
            let lasts = |until: Option<Timestamp>| until.unwrap_or(Timestamp::MAX);
            let longest = if seating.wakes { lasts(seating.until).max(lasts(until)) } else { lasts(until) };
            seating.until = Some(longest).filter(|longest| *longest != Timestamp::MAX);
            seating.wakes = true;
        }
    }
    seating
}

/// The member's agent, where it is in no other pod: two pods never have one workspace.
fn free<'a>(observed: &Observed, member: &'a Member) -> Option<&'a agent::Observed> {
    of_squad(observed, member).filter(|agent| agent.pod.is_none())
}

/// The member's agent, where the squad has it.
fn of_squad<'a>(observed: &Observed, member: &'a Member) -> Option<&'a agent::Observed> {
    let agent = member.agent.as_ref()?;
    let is_here = agent.squad.as_ref().is_some_and(|membership| membership.stays);
    (member.keeper.is_none() && is_here && members::is_own(observed, member)).then_some(agent)
}

/// A member whose own pod goes presently: a pod that began without it would be replaced for it at once. A pod that its
/// node does not let go is not waited for.
fn comes_presently(observed: &Observed, work: &mut Work) -> Option<String> {
    let all = observed.members.iter().filter_map(|member| of_squad(observed, member));
    let mut movers = all.filter(|agent| !matches!(attendance(agent), Attendance::Absent));
    let mover = movers.find(|agent| {
        let Some(pod) = agent.pod.as_deref().filter(|pod| agent.owns(*pod)) else { return false };
        match agent::pod_state(pod) {
            PodState::Leaving(Some(until)) if until <= observed.now => false,
            PodState::Leaving(until) => {
                until.into_iter().for_each(|until| work.again_at(until));
                true
            }
            _ => !agent.works(),
        }
    })?;
    Some(mover.agent.name_any())
}

/// Makes, replaces or removes the pod, and says how it stands.
pub(super) fn pod(observed: &Observed, seating: &Seating<'_>, work: &mut Work) -> Stand {
    work.until = seating.until;
    let wanted = seating.wakes.then(|| manifest(observed, seating));
    let before = observed.squad.status.as_ref().and_then(|status| status.pod_failure.clone());
    work.pod_failure = before.filter(|_| seating.wakes);
    let Some(pod) = observed.pod.as_deref() else {
        return match wanted {
            Some(wanted) => begin(observed, seating, wanted, work),
            None if observed.squad.spec.break_up == Some(true) => Stand::done(
                SquadPhase::BrokenUp,
                "BrokenUp",
                "By spec.breakUp the agents go on alone; delete the squad",
            ),
            None => {
                Stand::done(SquadPhase::Sleeping, "Sleeping", "No member has to be awake; a task for one wakes all")
            }
        };
    };
    match agent::pod_state(pod) {
        PodState::Leaving(_) => return Stand::starting("The last pod is going; a new one follows where one is needed"),
        PodState::Over(why) => return over(observed, pod, &why, seating.wakes, work),
        _ => {}
    }
    match wanted {
        None => return replace(observed, pod, None, work),
        Some(wanted) if wanted.annotations().get(MANIFEST_HASH) != pod.manifest_hash.as_ref() => {
            return replace(observed, pod, Some(rollout(seating, pod)), work);
        }
        Some(_) => {}
    }
    if let Some(time) = agent::recover(&mut work.pod_failure, pod, observed.now) {
        work.again_at(time);
    }
    runs(pod)
}

/// A pod that ended for good makes room for another, where one is wanted the later the more of them did.
fn over(observed: &Observed, pod: &AgentPod, why: &str, is_wanted: bool, work: &mut Work) -> Stand {
    if !is_wanted {
        work.remove.push(Removal::Pod(Exactly::of(pod)));
        return Stand::starting("The last pod has ended");
    }
    let Ended { failure, stays_until, message } = agent::ended(work.pod_failure.as_ref(), pod, why, observed.now);
    match stays_until {
        None => work.remove.push(Removal::Pod(Exactly::of(pod))),
        Some(until) => work.again_at(until),
    }
    work.pod_failure = Some(failure);
    Stand { progress: Progress::Retrying, reason: "PodFailed", ..Stand::starting(&message) }
}

fn manifest(observed: &Observed, seating: &Seating<'_>) -> Pod {
    let squad = &*observed.squad;
    let name = squad.name_any();
    let owner = squad.controller_owner_ref(&());
    let metadata = metadata_of_shared_pod(shared_pod_name(&name), squad.namespace(), &name, owner);
    let seated: Vec<_> = seating.seated.iter().map(|(_, seat)| *seat).collect();
    shared_pod(metadata, &seated, &observed.settings, &observed.master)
}

/// The pod begins once a member that has to be awake is given a place; the others come with it, and count.
fn begin(observed: &Observed, seating: &Seating<'_>, wanted: Pod, work: &mut Work) -> Stand {
    let awake = || seating.seated.iter().filter(|(agent, _)| matches!(attendance(agent), Attendance::Awake(..)));
    if !awake().any(|(agent, _)| agent.place == Place::Given) {
        return Stand {
            phase: SquadPhase::Pending,
            progress: Progress::Progressing,
            reason: "Queued",
            message: "Each member that is to be awake waits for its turn; their conditions say why".into(),
        };
    }
    if let Some(name) = comes_presently(observed, work) {
        return Stand::starting(&format!("KomputerAgent {name} gives its own pod up first"));
    }
    // Always: a policy of before there were squads knows one port.
    work.apply.extend(seating.seated.first().into_iter().flat_map(|(agent, _)| namespace(agent)));
    work.apply.extend(seating.seated.iter().flat_map(|(agent, seat)| prepare(agent, seat.resolved)));
    work.apply.push(Child::Pod(Box::new(wanted)));
    work.again_soon(observed.now);
    Stand::starting("The pod is starting")
}

/// When a pod is replaced that was made before a change. All in it go with it, so that the most careful of them decides;
/// who is to come or go waits for those that work, and no longer.
fn rollout(seating: &Seating<'_>, pod: &AgentPod) -> Rollout {
    let wanted: BTreeSet<_> = seating.seated.iter().map(|(_, seat)| seat.agent.name_any()).collect();
    if !wanted.iter().eq(pod.seats.keys()) {
        return Rollout::WhenIdle;
    }
    let rollouts = seating.seated.iter().map(|(_, seat)| rollout_of(seat.agent, &seat.resolved.template));
    rollouts
        .max_by_key(|rollout| match rollout {
            Rollout::Immediately => 0,
            Rollout::WhenIdle => 1,
            Rollout::OnDelete => 2,
        })
        .unwrap_or_default()
}

/// The pod goes once nobody in it works, where another follows as that says. That it will is said before, so that nobody
/// begins a task meanwhile.
fn replace(observed: &Observed, pod: &AgentPod, another: Option<Rollout>, work: &mut Work) -> Stand {
    let replacing = |message: String| Stand {
        phase: SquadPhase::Replacing,
        progress: Progress::Progressing,
        reason: "Replacing",
        message,
    };
    match another {
        Some(Rollout::OnDelete) if works_as_it_is(pod) => {
            let outdated = "The pod was made before a member, its template or a Secret changed; delete it to have it \
                            replaced, because a member's rollout is OnDelete";
            return Stand::done(SquadPhase::Running, "Running", outdated);
        }
        Some(Rollout::Immediately) => {}
        _ => {
            if let Some(name) = busy(observed, pod) {
                return replacing(format!("Its pod is to be replaced, which waits until {name} has ended its task"));
            }
        }
    }
    let before = observed.squad.status.as_ref().and_then(|status| status.phase);
    if another.is_some() && before != Some(SquadPhase::Replacing) {
        work.again_soon(observed.now);
        return replacing("Its pod is about to be replaced".into());
    }
    work.remove.push(Removal::Pod(Exactly::of(pod)));
    replacing(if another.is_some() {
        "Its pod is being replaced".into()
    } else {
        "Nobody needs its pod any more".into()
    })
}

/// Whether none of its containers needs a change to work.
fn works_as_it_is(pod: &AgentPod) -> bool {
    pod.seats.values().all(|seat| !of_container(pod, &seat.container).cannot_work())
}

/// Who sits in the pod and is in the middle of a task. Whoever is suspended or deleted is meant to be stopped, and whoever
/// cannot work as it is may be helped by the change. Nobody works in a pod that has never begun, whatever began elsewhere,
/// or where another of its name sits.
fn busy(observed: &Observed, pod: &AgentPod) -> Option<String> {
    pod.status.pod_ip.as_ref()?;
    let members = observed.members.iter().filter_map(|member| member.agent.as_ref());
    let mut all = members.chain(&observed.leaving);
    let works = |agent: &&agent::Observed| {
        let Some(seat) = pod.seats.get(&agent.agent.name_any()) else { return false };
        let is_stopped = agent.agent.spec.suspend == Some(true) || agent.agent.metadata.deletion_timestamp.is_some();
        agent.works() && seat.uid == agent.uid() && !is_stopped && !of_container(pod, &seat.container).cannot_work()
    };
    all.find(works).map(|agent| agent.agent.name_any())
}

/// How the pod stands that is as it should be.
fn runs(pod: &AgentPod) -> Stand {
    for (name, seat) in &pod.seats {
        match of_container(pod, &seat.container) {
            PodState::Ready { .. } => {}
            PodState::Starting(why) => return Stand::starting(&format!("KomputerAgent {name}: {why}")),
            PodState::Lacks(why) => {
                let message = format!("KomputerAgent {name} cannot start: {why}");
                return Stand {
                    phase: SquadPhase::Running,
                    progress: Progress::Progressing,
                    reason: "DependencyNotReady",
                    message,
                };
            }
            PodState::Fails(trouble) => {
                return Stand {
                    phase: SquadPhase::Running,
                    progress: Progress::Retrying,
                    reason: "AgentNotReady",
                    message: format!("KomputerAgent {name}: {}", trouble.message),
                };
            }
            PodState::Leaving(_) | PodState::Over(_) => return Stand::starting("The pod is going"),
        }
    }
    Stand::done(SquadPhase::Running, "Running", "The agents share a pod and see each other's workspaces")
}
