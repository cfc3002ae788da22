//! Where a task stands, as its status says it.
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use komputer_crds::v1beta1::{KomputerTaskStatus, StatusConditions, TaskMode, TaskPhase};
use komputer_events::{Cursor, FailureReason};
use kube::Resource;

use super::observe::Observed;
use crate::{
    conditions::{Progress, Standing, conditions},
    fold::TaskSummary,
};

pub(super) fn of(observed: &Observed) -> KomputerTaskStatus {
    let (task, summary) = (&observed.task, &observed.summary);
    let (phase, standing) = standing(observed);
    let generation = task.meta().generation;
    let before = task.status.as_ref().map_or(&[][..], StatusConditions::conditions);
    let seen = summary.cursor > Cursor::START;
    KomputerTaskStatus {
        observed_generation: generation,
        conditions: conditions(&standing, None, generation, before, observed.now),
        phase: Some(phase),
        start_time: summary.started.map(Time),
        completion_time: summary.ended.map(Time).or_else(|| phase.is_terminal().then(|| ended_now(observed))),
        result: summary.result.clone(),
        message: summary.message.clone(),
        cost_usd: seen.then(|| summary.cost.to_string()),
        tokens: seen.then_some(summary.tokens),
        turns: seen.then_some(summary.turns),
        session_id: summary.session_id.clone(),
        steered_task_uid: summary.steered.clone(),
        cursor: seen.then(|| summary.cursor.to_string()),
    }
}

/// Why the agent never begins the task, where it does not.
fn never_began(observed: &Observed) -> Option<String> {
    let summary = &observed.summary;
    if summary.cursor > Cursor::START || !matches!(summary.phase, TaskPhase::Pending | TaskPhase::Cancelled) {
        return None;
    }
    let replaced = |by: &String| format!("KomputerTask {by} took its place before the agent began");
    let cancelled = || "Cancelled before the agent began".into();
    (observed.task.spec.cancel == Some(true)).then(cancelled).or_else(|| observed.replaced_by.as_ref().map(replaced))
}

/// When a task ended whose agent never told: as its status says already, or now.
fn ended_now(observed: &Observed) -> Time {
    let before = observed.task.status.as_ref().and_then(|status| status.completion_time.clone());
    before.unwrap_or_else(|| Time(Timestamp::from_second(observed.now.as_second()).unwrap_or(observed.now)))
}

fn standing(observed: &Observed) -> (TaskPhase, Standing) {
    let (task, summary) = (&observed.task, &observed.summary);
    let agent = &task.spec.agent_ref.name;
    let row = |progress, reason, message: String| Standing { progress, reason, message };
    if task.metadata.deletion_timestamp.is_some() {
        return (summary.phase, row(Progress::Deleting, "Deleting", "The task is being deleted".into()));
    }
    if let Some(message) = never_began(observed) {
        return (TaskPhase::Cancelled, row(Progress::Stalled, "Cancelled", message));
    }
    let standing = match summary.phase {
        TaskPhase::Pending if !observed.agent_exists => row(
            Progress::Progressing,
            "DependencyNotReady",
            format!("KomputerAgent {agent} does not exist; create it, or a task for an agent that does"),
        ),
        TaskPhase::Pending | TaskPhase::Running if let Some(shortage) = &observed.shortage => {
            row(Progress::Progressing, "WaitsForBudget", shortage.words())
        }
        TaskPhase::Pending if task.spec.mode == Some(TaskMode::Steer) => {
            row(Progress::Progressing, "Pending", format!("Waits until KomputerAgent {agent} reads it"))
        }
        TaskPhase::Pending => row(Progress::Progressing, "Pending", format!("Waits for KomputerAgent {agent}")),
        TaskPhase::Running if let Some(uid) = &summary.steered => row(
            Progress::Progressing,
            "Running",
            format!("KomputerAgent {agent} has read it in the task of uid {uid}, and it ends with that one"),
        ),
        TaskPhase::Running => row(Progress::Progressing, "Running", format!("KomputerAgent {agent} works on it")),
        TaskPhase::Succeeded => row(Progress::Done, "Succeeded", "The task is done".into()),
        TaskPhase::Cancelled => row(Progress::Stalled, "Cancelled", "The task was cancelled".into()),
        TaskPhase::Failed => row(Progress::Stalled, reason(summary), failure(summary)),
    };
    (summary.phase, standing)
}

/// A reason that is not known is of an agent newer than this operator.
fn reason(summary: &TaskSummary) -> &'static str {
    let given = summary.reason.as_deref().unwrap_or_default();
    given.parse().map_or("Failed", FailureReason::as_str)
}

fn failure(summary: &TaskSummary) -> String {
    let said = summary.message.as_deref().unwrap_or("the agent gave no reason");
    format!("The task failed: {said}; create a new task to try again")
}
