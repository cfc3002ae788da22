//! What an agent is told of its budgets, in which order, and how it goes.
use komputer_crds::v1beta1::TaskAllowance;
use komputer_events::{Cursor, Money};

use super::*;
use crate::{
    agent::spending::{may_be_settled, work},
    budget::{Grant, Shortage},
    carry_out::FINALIZER,
    plan::Hold,
};

fn usd(text: &str) -> Money {
    text.parse().unwrap()
}

/// An agent with a task that may cost so much, and whose status says that it may cost what `recorded` is.
fn limited(phase: TaskPhase, up_to: &str, recorded: Option<&str>) -> Observed {
    let mut observed = awake();
    observed.tasks = vec![task("a", phase)];
    let allowance = recorded.map(|recorded| TaskAllowance {
        task_uid: "a-uid".into(),
        up_to_usd: recorded.into(),
        budget_name: "team".into(),
    });
    change(&mut observed, |agent| agent.status = Some(KomputerAgentStatus { allowance, ..Default::default() }));
    observed.work = work(&observed);
    let grant = Some(Grant { up_to: usd(up_to), budget: "team".into() });
    observed.funds = Funds { is_counted: true, grant, ..Funds::default() };
    observed
}

fn told(plan: &Plan<KomputerAgentStatus>) -> Option<String> {
    plan.calls.iter().find_map(|call| match call {
        Call::Allow { allowance, .. } => {
            Some(allowance.up_to_usd.map_or_else(|| "everything".into(), |up_to| up_to.to_string()))
        }
        _ => None,
    })
}

fn hands_over(plan: &Plan<KomputerAgentStatus>) -> bool {
    plan.calls.iter().any(|call| matches!(call, Call::PutTask { .. }))
}

fn written(plan: &Plan<KomputerAgentStatus>) -> Option<String> {
    plan.status.as_ref().unwrap().allowance.as_ref().map(|allowance| allowance.up_to_usd.clone())
}

#[test]
fn what_an_agent_may_spend_is_written_before_it_is_told() {
    let plan = decide(&limited(TaskPhase::Pending, "1", None));
    assert_eq!((told(&plan), hands_over(&plan), written(&plan)), (None, false, Some("1.0000".into())));
    let plan = decide(&limited(TaskPhase::Pending, "1", Some("1")));
    assert_eq!((told(&plan), hands_over(&plan)), (Some("1.0000".into()), true));
    let plan = decide(&limited(TaskPhase::Running, "2", Some("1")));
    assert_eq!((told(&plan), written(&plan)), (Some("1.0000".into()), Some("2.0000".into())), "more is told later");
    let plan = decide(&limited(TaskPhase::Running, "0.5", Some("1")));
    assert_eq!((told(&plan), written(&plan)), (Some("0.5000".into()), Some("0.5000".into())), "less is told before");
}

#[test]
fn an_agent_without_budgets_any_more_is_told_so() {
    let without = |recorded| Observed { funds: Funds::default(), ..limited(TaskPhase::Running, "1", recorded) };
    let plan = decide(&without(Some("1")));
    assert_eq!((told(&plan), written(&plan)), (None, None));
    assert_eq!(told(&decide(&without(None))), Some("everything".into()));
}

fn short(phase: TaskPhase, recorded: Option<&str>) -> Observed {
    let mut observed = limited(phase, "0", recorded);
    observed.funds.shortage =
        Some(Shortage { budget: "team".into(), until: Some(Timestamp::from_second(60).unwrap()) });
    observed
}

#[test]
fn a_task_waits_before_it_begins_and_no_pod_is_made_for_it() {
    let mut observed = short(TaskPhase::Pending, Some("0"));
    let plan = decide(&observed);
    assert_eq!((hands_over(&plan), standing(&plan).1.as_str()), (false, "WaitsForBudget"));
    assert!(standing(&plan).2.starts_with("KomputerBudget team has nothing left; goes on at 1970-01-01T00:01:00Z"));
    assert_eq!(plan.again, Some(Duration::from_mins(1)), "it looks again when the period ends");
    observed.pod = None;
    let plan = decide(&observed);
    assert_eq!((kinds(&plan), standing(&plan).1.as_str()), (vec![], "WaitsForBudget"));
}

#[test]
fn a_running_task_waits_where_it_is() {
    let mut observed = short(TaskPhase::Running, Some("1"));
    let plan = decide(&observed);
    assert!(hands_over(&plan), "a pod that was made anew has to know of it");
    assert_eq!((standing(&plan).1.as_str(), &plan.remove[..]), ("WaitsForBudget", &[][..]));
    observed.pod = None;
    observed.tasks[0].0 = task("a", TaskPhase::Running).0;
    assert_eq!(kinds(&decide(&observed)), Vec::<&str>::new(), "and needs no pod while it waits");
}

#[test]
fn a_task_that_is_to_end_keeps_what_it_was_given_and_no_other_gets_anything() {
    let mut observed = limited(TaskPhase::Pending, "1", Some("1"));
    let running = crate::fold::LastTaskSummary {
        uid: "a-uid".into(),
        phase: "Running".into(),
        cost: usd("0.25"),
        ..Default::default()
    };
    observed.summary.last_task = Some(running);
    observed.tasks = vec![task("b", TaskPhase::Pending)];
    observed.work = work(&observed);
    let work = observed.work.clone().unwrap();
    assert_eq!((work.task.as_str(), work.goes_on), ("a-uid", false));
    let plan = decide(&observed);
    assert!(matches!(&plan.calls[..], [Call::CancelTask { uid, .. }] if uid == "a-uid"), "{:?}", plan.calls);
}

#[test]
fn what_a_deleted_agent_may_have_spent_is_set_aside_until_it_is_counted() {
    let mut observed = limited(TaskPhase::Running, "0.75", Some("0.75"));
    change(&mut observed, |agent| agent.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)));
    observed.pod = None;
    let kept = work(&observed).unwrap();
    assert_eq!((kept.task.as_str(), kept.recorded_up_to(), kept.goes_on), ("a-uid", Some(usd("0.75")), false));
    change(&mut observed, |agent| agent.status = None);
    assert_eq!(work(&observed), None, "it was told nothing");
}

#[test]
fn an_agent_that_budgets_count_goes_once_they_have_counted_it() {
    let mut observed = limited(TaskPhase::Running, "1", Some("1"));
    assert_eq!(decide(&observed).hold, Some(Hold::Take), "before it costs anything");
    change(&mut observed, |agent| agent.metadata.finalizers = Some(vec![FINALIZER.into()]));
    assert_eq!(decide(&observed).hold, None);
    change(&mut observed, |agent| agent.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)));
    let plan = decide(&observed);
    assert_eq!((plan.hold, &plan.remove[..]), (None, &[pod_removal()][..]), "it costs nothing more");
    assert!(!may_be_settled(&observed));
    observed.pod = None;
    assert!(may_be_settled(&observed));
    observed.tasks[0].1 = TaskPhase::Succeeded;
    assert!(!may_be_settled(&observed), "another agent of its name would do again what ended unsaid");
    observed.tasks[0] = task("a", TaskPhase::Succeeded);
    assert!(may_be_settled(&observed));
    observed.summary.cursor = Cursor::at(1);
    assert!(!may_be_settled(&observed), "its status does not have all that it said");
    observed.funds.is_departed = true;
    assert_eq!(decide(&observed).hold, Some(Hold::Release));
    observed.funds.is_departed = false;
    observed.namespace_is_going = true;
    assert_eq!(decide(&observed).hold, Some(Hold::Release), "its budgets go too");
}

#[test]
fn an_agent_that_no_budget_counts_is_not_held() {
    let mut observed = awake();
    assert_eq!(decide(&observed).hold, None);
    change(&mut observed, |agent| agent.metadata.finalizers = Some(vec![FINALIZER.into()]));
    assert_eq!(decide(&observed).hold, Some(Hold::Release), "its budgets are gone");
}
