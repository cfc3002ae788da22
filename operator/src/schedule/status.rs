//! Where a schedule stands, as its status says it. Every situation is one row of the documented state table.
use komputer_crds::v1beta1::{KomputerSchedule, KomputerScheduleStatus, SchedulePhase, ScheduleRun, StatusConditions};
use kube::ResourceExt;

use super::{agent::agent_name, observe::Observed};
use crate::{
    conditions::{Progress, Standing, conditions},
    prune::deprecated,
};

/// Every situation a schedule can be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Situation {
    Invalid(String),
    /// The agent to be made is somebody else's.
    Conflicted,
    WaitsForAgent,
    /// The agent of that name of before is going.
    WaitsForName,
    /// The agent cannot go on without a change, for that reason.
    AgentStalled(String),
    Scheduled,
    /// No other run begins than those under way.
    LastRun,
    Suspended,
    Completed,
    /// Its only time was over before it was there.
    TooLate,
    Deleting,
}

impl Situation {
    fn phase(&self) -> SchedulePhase {
        match self {
            Self::Invalid(_) | Self::Conflicted => SchedulePhase::Failed,
            Self::Suspended => SchedulePhase::Suspended,
            Self::Completed | Self::TooLate => SchedulePhase::Completed,
            Self::WaitsForAgent
            | Self::WaitsForName
            | Self::AgentStalled(_)
            | Self::Scheduled
            | Self::LastRun
            | Self::Deleting => SchedulePhase::Active,
        }
    }

    fn standing(&self, schedule: &KomputerSchedule) -> Standing {
        let row = |progress, reason, message: String| Standing { progress, reason, message };
        let (namespace, agent) = (schedule.namespace().unwrap_or_default(), agent_name(schedule));
        match self {
            Self::Invalid(causes) => row(Progress::Stalled, "InvalidSpec", causes.clone()),
            Self::Conflicted => row(
                Progress::Stalled,
                "Conflicted",
                format!(
                    "KomputerAgent {namespace}/{agent} exists and was not made for this schedule; remove spec.agent to use \
                     it, or name another in spec.agentRef.name"
                ),
            ),
            Self::WaitsForAgent => row(
                Progress::Progressing,
                "DependencyNotReady",
                format!(
                    "spec.agentRef: KomputerAgent {namespace}/{agent} does not exist; create it, or set spec.agent to have \
                     it made"
                ),
            ),
            Self::WaitsForName => row(
                Progress::Progressing,
                "DependencyNotReady",
                format!("KomputerAgent {namespace}/{agent} is being deleted; a new one follows"),
            ),
            Self::AgentStalled(why) => {
                row(Progress::Retrying, "AgentNotReady", format!("KomputerAgent {namespace}/{agent} is stalled: {why}"))
            }
            Self::Scheduled => row(Progress::Done, "Scheduled", "The next run begins at status.nextRunTime".into()),
            Self::LastRun => row(Progress::Done, "LastRun", "The last run is under way".into()),
            Self::Suspended => {
                row(Progress::Done, "Suspended", "Suspended by spec.suspend; runs that are under way go on".into())
            }
            Self::Completed => row(
                Progress::Done,
                "Completed",
                "All runs there were to be have been; delete it from where it was applied, or change spec".into(),
            ),
            Self::TooLate => row(
                Progress::Done,
                "Completed",
                "No run began, because spec.at was over; set a later time, or delete it from where it was applied"
                    .into(),
            ),
            Self::Deleting => row(Progress::Deleting, "Deleting", "The schedule is being deleted".into()),
        }
    }
}

/// `status`, where the schedule stands so.
pub(super) fn standing_so(
    observed: &Observed,
    mut status: KomputerScheduleStatus,
    situation: &Situation,
) -> KomputerScheduleStatus {
    let schedule = &*observed.schedule;
    let generation = schedule.metadata.generation;
    status.phase = Some(situation.phase());
    let standing = situation.standing(schedule);
    let conditions = conditions(&standing, deprecated(schedule), generation, status.conditions(), observed.now);
    status.with_conditions(generation, conditions)
}

/// Whether the two differ only in what changes all the time while a run is under way.
pub(super) fn only_progress(before: &KomputerScheduleStatus, wanted: &KomputerScheduleStatus) -> bool {
    let still = |status: &KomputerScheduleStatus| KomputerScheduleStatus {
        total_cost_usd: None,
        total_tokens: None,
        last_run_cost_usd: None,
        last_run_tokens: None,
        runs: status.runs.iter().map(|run| ScheduleRun { cost_usd: None, tokens: None, ..run.clone() }).collect(),
        ..status.clone()
    };
    still(before) == still(wanted)
}
