//! Where a squad stands, as its status says it.
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use komputer_crds::v1beta1::{KomputerSquadStatus, PodFailure, SquadMemberStatus, SquadPhase, StatusConditions};

use super::{
    observe::{Member, Observed},
    shared_pod_name,
};
use crate::{
    agent::{PodState, of_container},
    conditions::{Progress, Standing, conditions},
    prune::deprecated,
};
use jiff::Timestamp;
use kube::ResourceExt;

/// Where a squad stands: a row of the state table, and its phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) phase: SquadPhase,
    pub(super) progress: Progress,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Stand {
    pub(super) fn done(phase: SquadPhase, reason: &'static str, message: &str) -> Self {
        Self { phase, progress: Progress::Done, reason, message: message.into() }
    }

    pub(super) fn starting(message: &str) -> Self {
        let (progress, reason) = (Progress::Progressing, "Starting");
        Self { phase: SquadPhase::Pending, progress, reason, message: message.into() }
    }

    /// What is said instead of how the pod stands; the phase stays the pod's, which members read.
    pub(super) fn but(self, progress: Progress, reason: &'static str, message: String) -> Self {
        let phase = match self.phase {
            SquadPhase::Pending | SquadPhase::Sleeping if progress == Progress::Stalled => SquadPhase::Failed,
            SquadPhase::Sleeping => SquadPhase::Pending,
            phase => phase,
        };
        Self { phase, progress, reason, message }
    }
}

pub(super) fn of(
    observed: &Observed,
    stand: Stand,
    orphaned_since: Option<Timestamp>,
    pod_failure: Option<PodFailure>,
) -> KomputerSquadStatus {
    let squad = &*observed.squad;
    let generation = squad.metadata.generation;
    let before = squad.status.as_ref().map_or(&[][..], StatusConditions::conditions);
    let Stand { phase, progress, reason, message } = stand;
    let standing = Standing { progress, reason, message };
    let pod = observed.pod.as_deref().filter(|pod| observed.owns(*pod));
    KomputerSquadStatus {
        observed_generation: generation,
        conditions: conditions(&standing, deprecated(squad), generation, before, observed.now),
        phase: Some(phase),
        pod_name: pod.map(|_| shared_pod_name(&squad.name_any())),
        pod_failure,
        members: observed.members.iter().map(|found| member(observed, found)).collect(),
        orphaned_since: orphaned_since.map(Time),
    }
}

fn member(observed: &Observed, member: &Member) -> SquadMemberStatus {
    let pod = observed.pod.as_deref().filter(|pod| observed.owns(*pod));
    let seat = pod.and_then(|pod| pod.seats.get(&member.spec.name));
    let state = pod.zip(seat).map(|(pod, seat)| of_container(pod, &seat.container));
    let last = member.agent.as_ref().and_then(|agent| agent.summary.last_task.as_ref());
    SquadMemberStatus {
        name: member.spec.name.clone(),
        ready: matches!(state, Some(PodState::Ready { .. })),
        task_status: last.map(|last| last.phase.clone()),
    }
}

/// Whether the two stand the same, and say it in other words.
pub(super) fn only_progress(before: &KomputerSquadStatus, wanted: &KomputerSquadStatus) -> bool {
    let reasons = |status: &KomputerSquadStatus| {
        let conditions = status.conditions.iter();
        conditions
            .map(|found| (found.type_.clone(), found.status.clone(), found.reason.clone(), found.observed_generation))
            .collect::<Vec<_>>()
    };
    let still = |status: &KomputerSquadStatus| KomputerSquadStatus { conditions: Vec::new(), ..status.clone() };
    reasons(before) == reasons(wanted) && still(before) == still(wanted)
}
