//! What an agent is told of its budgets, in which order, and how it goes.
use komputer_crds::v1beta1::TaskAllowance;
use komputer_events::{AgentId, Cursor, Money};

use super::*;
use crate::{
    agent::spending::work,
    budget::{Counted, Grant, Predecessor, Shares, Shortage, Statement},
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
    let counted = Counted { budgets: ["team-uid".to_owned()].into(), reserved: usd(up_to) };
    observed.funds = Funds { counted: Some(counted), grant, ..Funds::default() };
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

/// As it stands in the status that the agent has.
fn statement(reserved: &str) -> Statement {
    Statement {
        agent: AgentId::new("team", "ada").unwrap(),
        uid: "u1".into(),
        cursor: Cursor::START,
        shares: Shares::default(),
        budgets: ["team-uid".to_owned()].into(),
        reserved: usd(reserved),
    }
}

#[test]
fn what_an_agent_has_cost_is_kept_before_it_costs_more() {
    let mut observed = limited(TaskPhase::Running, "1", Some("1"));
    let plan = decide(&observed);
    assert_eq!(plan.statement, Some(statement("1")), "before it costs anything");
    change(&mut observed, |agent| agent.status = plan.status);
    observed.statement = Some(Arc::new(statement("1")));
    assert_eq!(decide(&observed).statement, None);

    observed.statement = Some(Arc::new(statement("0.9")));
    assert_eq!(decide(&observed).statement, Some(statement("1")), "before it costs more");
    observed.statement = Some(Arc::new(statement("1.1")));
    assert_eq!(decide(&observed).statement, None, "it costs no more than that");
    observed.statement = Some(Arc::new(Statement { budgets: [].into(), ..statement("1") }));
    assert_eq!(decide(&observed).statement, Some(statement("1")), "before another budget counts it");

    observed.statement = Some(Arc::new(statement("1")));
    observed.summary.cursor = Cursor::at(1);
    let plan = decide(&observed);
    let later = Statement { cursor: Cursor::at(1), ..statement("1") };
    assert_eq!(plan.statement, plan.status.map(|_| later), "and whenever its status is written");

    observed.funds.is_reading = true;
    assert_eq!(decide(&observed).statement, None, "what is kept is not known");
}

#[test]
fn of_an_agent_that_no_budget_counts_nothing_is_kept() {
    let mut observed = awake();
    assert_eq!(decide(&observed).statement, None);
    observed.statement = Some(Arc::new(statement("1")));
    let none = Statement { budgets: [].into(), ..statement("0") };
    assert_eq!(decide(&observed).statement, Some(none), "its budgets are gone");
}

#[test]
fn nobody_is_told_anything_before_it_is_known_what_agents_have_cost_that_are_gone() {
    let mut observed = limited(TaskPhase::Running, "1", Some("1"));
    observed.funds.is_reading = true;
    let plan = decide(&observed);
    assert_eq!((told(&plan), hands_over(&plan), plan.calls.len()), (None, false, 0));
    observed.funds.is_reading = false;
    assert_eq!(told(&decide(&observed)).as_deref(), Some("1.0000"));
}

#[test]
fn an_agent_begins_once_another_of_its_name_is_over() {
    let mut observed = awake();
    observed.tasks = vec![task("a", TaskPhase::Pending)];
    let begins = |observed: &Observed| {
        let makes_pod = decide(observed).apply.iter().any(|child| matches!(child, Child::Pod(_)));
        (makes_pod, wanted(observed).is_some(), matches!(attendance(observed), Attendance::Awake(..)))
    };
    let working = decide(&observed).status;
    observed.predecessor = Predecessor::Unknown;
    assert_eq!(decide(&observed).status, working, "one that has a pod goes on");
    observed.pod = None;
    assert_eq!(begins(&observed), (false, true, false), "it keeps its place in the queue");
    observed.predecessor = Predecessor::Leaving;
    assert_eq!(begins(&observed), (false, false, false));
    observed.predecessor = Predecessor::Over;
    assert_eq!(begins(&observed), (true, true, true));
}
