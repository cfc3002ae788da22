//! What to do about a squad. Pure: everything it knows stands in [`Observed`].
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use komputer_crds::{
    recurrence::duration,
    v1beta1::{KomputerSquadStatus, PodFailure, SquadPhase, StatusConditions},
    validate::{self, Kind},
};
use kube::ResourceExt;
use serde_json::json;

use super::{
    members,
    observe::Observed,
    pod::{pod, seating},
    status::{self, Stand},
};
use crate::{
    conditions::{Progress, stalled},
    plan::{Child, Exactly, Plan, Removal},
    status::{Written, show},
};

/// How long a squad is kept that nobody is a member of, where it does not say.
const ORPHAN_TTL: Duration = Duration::from_mins(10);

/// How soon to look again although nothing may change.
const SOON: SignedDuration = SignedDuration::from_secs(2);

/// What is to be done beside the status.
#[derive(Default)]
pub(super) struct Work {
    pub(super) remove: Vec<Removal>,
    pub(super) apply: Vec<Child>,
    /// When to decide again although nothing changes.
    pub(super) until: Option<Timestamp>,
    /// The last pod that ended before its time, as long as that is remembered.
    pub(super) pod_failure: Option<PodFailure>,
}

impl Work {
    pub(super) fn again_soon(&mut self, now: Timestamp) {
        self.again_at(now.checked_add(SOON).unwrap_or(Timestamp::MAX));
    }

    pub(super) fn again_at(&mut self, time: Timestamp) {
        self.until = self.until.into_iter().chain([time]).min();
    }
}

/// What to do about a squad.
pub fn decide(observed: &Observed) -> Plan<KomputerSquadStatus> {
    let mut work = Work::default();
    let orphaned = orphaned_since(observed);
    let stand = stand(observed, orphaned, &mut work);
    let again = work.until.map(|until| until.duration_since(observed.now).unsigned_abs());
    let plan = Plan { remove: work.remove, apply: work.apply, again, ..Plan::nothing() };
    let written = Written { status: observed.squad.status.as_ref(), at: observed.written };
    let wanted = status::of(observed, stand, orphaned, work.pod_failure);
    show(plan, written, wanted, status::only_progress, observed.now)
}

fn stand(observed: &Observed, orphaned: Option<Timestamp>, work: &mut Work) -> Stand {
    let fixed = |phase, progress, reason, message| Stand { phase, progress, reason, message };
    if observed.squad.metadata.deletion_timestamp.is_some() || observed.namespace_is_going {
        // Garbage collection does the rest, and the agents go on alone.
        return fixed(SquadPhase::Pending, Progress::Deleting, "Deleting", "The squad is being deleted".into());
    }
    if let Some(causes) = invalid(observed) {
        return fixed(SquadPhase::Failed, Progress::Stalled, "InvalidSpec", causes); // what runs goes on
    }
    if let Some(pod) = observed.pod.as_deref().filter(|pod| !observed.owns(*pod)) {
        let message =
            format!("Pod {} exists and belongs to somebody else; delete it or rename the squad", pod.name_any());
        return fixed(SquadPhase::Pending, Progress::Progressing, "DependencyNotReady", message);
    }
    work.remove.extend(members::dismissals(observed));
    work.apply.extend(observed.members.iter().filter_map(|member| members::to_apply(observed, member)));
    let seating = seating(observed);
    let stand = pod(observed, &seating, work);
    if let Some(since) = orphaned {
        return wait_for_members(observed, since, stand, work);
    }
    trouble(observed, &seating.misfits, stand)
}

/// What is wrong with the name and the spec: admission refuses it, but may have been passed by, or be newer.
fn invalid(observed: &Observed) -> Option<String> {
    let squad = &*observed.squad;
    let mut causes = validate::causes(Kind::Squad, &json!({ "spec": squad.spec }));
    causes.extend(validate::cause_of_name(Kind::Squad, &squad.name_any()));
    (!causes.is_empty()).then(|| validate::message(&causes))
}

/// Since when none of the members exists, where none does and the squad makes none.
fn orphaned_since(observed: &Observed) -> Option<Timestamp> {
    let is_missing = observed.members.iter().all(|member| member.agent.is_none() && member.spec.template.is_none());
    let before = observed.squad.status.as_ref().and_then(|status| status.orphaned_since.as_ref());
    let now = Timestamp::from_second(observed.now.as_second()).unwrap_or(observed.now);
    is_missing.then(|| before.map_or(now, |before| before.0))
}

/// A squad that nobody is a member of waits for one, and goes in the end.
fn wait_for_members(observed: &Observed, since: Timestamp, stand: Stand, work: &mut Work) -> Stand {
    let squad = &*observed.squad;
    let ttl = squad.spec.orphan_ttl.as_deref().and_then(duration).unwrap_or(ORPHAN_TTL);
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    let until = since.checked_add(ttl).unwrap_or(Timestamp::MAX);
    if until <= observed.now {
        work.remove.push(Removal::Squad(Exactly::of(squad)));
    }
    work.again_at(until);
    let message = format!(
        "None of the agents in spec.members exists; create one before {until}, when the squad goes by spec.orphanTTL"
    );
    let phase = SquadPhase::Orphaned;
    Stand { phase, ..stand.but(Progress::Progressing, "DependencyNotReady", message) }
}

/// What is to be said before how the pod stands.
fn trouble(observed: &Observed, misfits: &[String], stand: Stand) -> Stand {
    for (index, member) in observed.members.iter().enumerate() {
        let name = &member.spec.name;
        if let Some(keeper) = &member.keeper {
            let message =
                format!("spec.members: KomputerSquad {keeper} is older and has {name}; remove it from one of them");
            return stand.but(Progress::Stalled, "Conflicted", message);
        }
        if members::is_foreign(observed, member) {
            let message = format!(
                "spec.members[{index}]: KomputerAgent {name} exists and the squad did not make it; remove template to \
                 have that agent, or name another"
            );
            return stand.but(Progress::Stalled, "Conflicted", message);
        }
    }
    if let Some(misfit) = misfits.first() {
        return stand.but(Progress::Stalled, "Conflicted", misfit.clone());
    }
    let is_missing = |member: &&super::Member| member.agent.is_none() && member.spec.template.is_none();
    if let Some(member) = observed.members.iter().find(is_missing) {
        let name = &member.spec.name;
        let message =
            format!("spec.members: KomputerAgent {name} does not exist; create it, or remove it from the list");
        return stand.but(Progress::Progressing, "DependencyNotReady", message);
    }
    let agents = observed.members.iter().filter_map(|member| Some(&member.agent.as_ref()?.agent));
    let why =
        |agent: &komputer_crds::v1beta1::KomputerAgent| stalled(agent.status.as_ref()?.conditions()).map(str::to_owned);
    match agents.into_iter().find_map(|agent| Some((agent.name_any(), why(agent)?))) {
        Some((name, why)) => {
            stand.but(Progress::Retrying, "AgentNotReady", format!("KomputerAgent {name} is stalled: {why}"))
        }
        None => stand,
    }
}
