//! Each situation by its value.
use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use komputer_crds::v1beta1::{AgentRef, KomputerTask, KomputerTaskSpec, KomputerTaskStatus, TaskMode, TaskPhase};

use super::{Observed, decide};
use crate::{
    budget::Shortage,
    fold::TaskSummary,
    plan::{Exactly, Plan, Removal},
};

fn world() -> Observed {
    let agent_ref = AgentRef { name: "ada".into() };
    let mut task = KomputerTask::new("t", KomputerTaskSpec { agent_ref, ..Default::default() });
    task.metadata.uid = Some("t1".into());
    Observed {
        task: Arc::new(task),
        agent_exists: true,
        replaced_by: None,
        shortage: None,
        summary: TaskSummary::default(),
        written: None,
        now: Timestamp::UNIX_EPOCH,
    }
}

/// Carries the plan out, as far as the task shows it.
fn settle(observed: &mut Observed) -> Plan<KomputerTaskStatus> {
    let plan = decide(observed);
    let task = Arc::make_mut(&mut observed.task);
    task.status = plan.status.clone().or(task.status.take());
    observed.summary = TaskSummary::from(&*task);
    plan
}

fn said(observed: &Observed) -> (TaskPhase, String) {
    let status = observed.task.status.clone().unwrap_or_default();
    (observed.task.phase(), status.conditions[0].message.clone())
}

#[test]
fn a_task_that_another_replaces_before_it_began_is_cancelled_for_good() {
    let mut observed = world();
    settle(&mut observed);
    assert_eq!(said(&observed).0, TaskPhase::Pending);
    observed.replaced_by = Some("other".into());
    settle(&mut observed);
    let expected = (TaskPhase::Cancelled, "KomputerTask other took its place before the agent began".to_owned());
    assert_eq!(said(&observed), expected);
    assert_eq!(settle(&mut observed), Plan::nothing());
    observed.replaced_by = None;
    settle(&mut observed);
    assert_eq!(said(&observed).0, TaskPhase::Cancelled);
}

#[test]
fn a_task_that_is_cancelled_before_it_began_says_so_once() {
    let mut observed = world();
    Arc::make_mut(&mut observed.task).spec.cancel = Some(true);
    settle(&mut observed);
    assert_eq!(said(&observed), (TaskPhase::Cancelled, "Cancelled before the agent began".into()));
    assert_eq!(settle(&mut observed), Plan::nothing());
}

#[test]
fn a_task_that_runs_is_replaced_only_by_its_agents_word() {
    let mut observed = world();
    observed.replaced_by = Some("other".into());
    observed.summary = TaskSummary { cursor: "5-0".parse().unwrap(), phase: TaskPhase::Running, ..Default::default() };
    settle(&mut observed);
    assert_eq!(said(&observed).0, TaskPhase::Running);
}

#[test]
fn a_task_goes_once_its_time_is_over_and_its_end_is_written() {
    let mut observed = world();
    Arc::make_mut(&mut observed.task).spec.ttl_after_finished = Some("1h".into());
    let ended = Some(observed.now);
    let phase = TaskPhase::Failed;
    observed.summary = TaskSummary { cursor: "5-0".parse().unwrap(), phase, ended, ..Default::default() };
    assert_eq!(settle(&mut observed).remove, []);
    let plan = settle(&mut observed);
    assert_eq!((plan.remove, plan.again), (vec![], Some(Duration::from_hours(1))));
    observed.now += SignedDuration::from_hours(1);
    let gone = Removal::Task(Exactly { name: "t".into(), uid: "t1".into() });
    assert_eq!(settle(&mut observed).remove, [gone]);
    Arc::make_mut(&mut observed.task).spec.ttl_after_finished = None;
    assert_eq!(settle(&mut observed), Plan::nothing());
}

#[test]
fn a_task_that_never_began_has_an_end_to_count_from() {
    let mut observed = world();
    let task = Arc::make_mut(&mut observed.task);
    (task.spec.ttl_after_finished, task.spec.cancel) = (Some("1m".into()), Some(true));
    settle(&mut observed);
    observed.now += SignedDuration::from_secs(59);
    assert_eq!(settle(&mut observed).remove, []);
    observed.now += SignedDuration::from_secs(1);
    assert_eq!(settle(&mut observed).remove.len(), 1);
}

#[test]
fn a_task_that_a_budget_keeps_from_going_on_says_which_and_until_when() {
    let until = Some(Timestamp::from_second(60).unwrap());
    let shortage = Some(Shortage { budget: "team".into(), until });
    for phase in [TaskPhase::Pending, TaskPhase::Running] {
        let mut observed = Observed { shortage: shortage.clone(), ..world() };
        observed.summary.phase = phase;
        settle(&mut observed);
        let words = "KomputerBudget team has nothing left; goes on at 1970-01-01T00:01:00Z, when its next period begins, \
                     or once spec.limitUSD is raised";
        assert_eq!(said(&observed), (phase, words.into()));
    }
    let mut observed = Observed { shortage, ..world() };
    observed.summary.phase = TaskPhase::Succeeded;
    settle(&mut observed);
    assert_eq!(said(&observed).1, "The task is done");
}

#[test]
fn a_task_that_is_read_in_the_middle_of_another_names_it() {
    let mut observed = world();
    Arc::make_mut(&mut observed.task).spec.mode = Some(TaskMode::Steer);
    settle(&mut observed);
    assert_eq!(said(&observed), (TaskPhase::Pending, "Waits until KomputerAgent ada reads it".into()));
    let (cursor, steered) = ("5-0".parse().unwrap(), Some("t0".to_owned()));
    observed.summary =
        TaskSummary { cursor, phase: TaskPhase::Running, steered: steered.clone(), ..Default::default() };
    settle(&mut observed);
    let expected = "KomputerAgent ada has read it in the task of uid t0, and it ends with that one".to_owned();
    assert_eq!(said(&observed), (TaskPhase::Running, expected));
    assert_eq!(observed.task.status.as_ref().unwrap().steered_task_uid, steered);
    assert_eq!(settle(&mut observed), Plan::nothing());
}
