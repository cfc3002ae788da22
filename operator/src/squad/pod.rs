//! The shared pod: who sits in it, and when it is made, replaced and removed.
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use komputer_crds::v1beta1::SquadPhase;
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
        self, AgentPod, Attendance, MANIFEST_HASH, Place, PodState, SeatedAgent, attendance, differs,
        metadata_of_shared_pod, namespace, of_container, prepare, seats_of, shared_pod,
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

/// The member's agent, where the squad has it and it is in no other pod: two pods never have one workspace.
fn free<'a>(observed: &Observed, member: &'a Member) -> Option<&'a agent::Observed> {
    let agent = member.agent.as_ref().filter(|agent| agent.pod.is_none())?;
    let is_here = agent.squad.as_ref().is_some_and(|membership| membership.stays);
    (member.keeper.is_none() && is_here && members::is_own(observed, member)).then_some(agent)
}

/// Makes, replaces or removes the pod, and says how it stands.
pub(super) fn pod(observed: &Observed, seating: &Seating<'_>, work: &mut Work) -> Stand {
    work.until = seating.until;
    let wanted = seating.wakes.then(|| manifest(observed, seating));
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
        PodState::Over(why) => {
            work.remove.push(Removal::Pod(Exactly::of(pod)));
            return Stand::starting(&format!("The pod has ended: {why}; a new one follows"));
        }
        _ => {}
    }
    let hash = |annotations: &std::collections::BTreeMap<String, String>| annotations.get(MANIFEST_HASH).cloned();
    let is_outdated = wanted.as_ref().is_none_or(|wanted| hash(wanted.annotations()) != hash(pod.annotations()));
    if is_outdated { replace(observed, pod, wanted.is_some(), work) } else { runs(pod) }
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
    // Always: a policy of before there were squads knows one port.
    work.apply.extend(seating.seated.first().into_iter().flat_map(|(agent, _)| namespace(agent)));
    work.apply.extend(seating.seated.iter().flat_map(|(agent, seat)| prepare(agent, seat.resolved)));
    work.apply.push(Child::Pod(Box::new(wanted)));
    work.again_soon(observed.now);
    Stand::starting("The pod is starting")
}

/// The pod goes once nobody in it works. That it will is said before, so that nobody begins a task meanwhile.
fn replace(observed: &Observed, pod: &AgentPod, is_replaced: bool, work: &mut Work) -> Stand {
    let replacing = |message: String| Stand {
        phase: SquadPhase::Replacing,
        progress: Progress::Progressing,
        reason: "Replacing",
        message,
    };
    if let Some(name) = busy(observed, pod) {
        return replacing(format!("Its pod is to be replaced, which waits until {name} has ended its task"));
    }
    let before = observed.squad.status.as_ref().and_then(|status| status.phase);
    if is_replaced && before != Some(SquadPhase::Replacing) {
        work.again_soon(observed.now);
        return replacing("Its pod is about to be replaced".into());
    }
    work.remove.push(Removal::Pod(Exactly::of(pod)));
    replacing(if is_replaced { "Its pod is being replaced".into() } else { "Nobody needs its pod any more".into() })
}

/// Who sits in the pod and is in the middle of a task. Whoever is suspended or deleted is meant to be stopped, and whoever
/// cannot work as it is may be helped by the change. Nobody works in a pod that has never begun, whatever began elsewhere.
fn busy(observed: &Observed, pod: &AgentPod) -> Option<String> {
    pod.status.pod_ip.as_ref()?;
    let seats = seats_of(pod);
    let members = observed.members.iter().filter_map(|member| member.agent.as_ref());
    let mut all = members.chain(&observed.leaving);
    let works = |agent: &&agent::Observed| {
        let Some(seat) = seats.get(&agent.agent.name_any()) else { return false };
        let is_stopped = agent.agent.spec.suspend == Some(true) || agent.agent.metadata.deletion_timestamp.is_some();
        let cannot_work = matches!(of_container(pod, &seat.container), PodState::Lacks(_) | PodState::Fails(_));
        agent.works() && !is_stopped && !cannot_work
    };
    all.find(works).map(|agent| agent.agent.name_any())
}

/// How the pod stands that is as it should be.
fn runs(pod: &AgentPod) -> Stand {
    for (name, seat) in seats_of(pod) {
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
