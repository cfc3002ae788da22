use super::*;

/// Runs at the hours from 01:00 on, that end so and cost a tenth of a dollar each.
fn ran(spec: &Value, phases: &[TaskPhase]) -> World {
    let mut world = World::new(spec);
    for (hour, phase) in phases.iter().enumerate() {
        world.now = time("2026-03-02T01:00:00Z") + jiff::SignedDuration::from_hours(i64::try_from(hour).unwrap());
        world.settle();
        let last = world.last();
        world.ends(&last, *phase, "0.1000");
    }
    world
}

fn hourly(more: &Value) -> Value {
    let mut spec = json!({ "schedule": "0 * * * *" });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

#[test]
fn three_that_succeeded_and_one_that_failed_are_kept_and_all_are_counted() {
    use TaskPhase::{Cancelled, Failed, Succeeded};
    let world = ran(&hourly(&json!({})), &[Failed, Succeeded, Succeeded, Cancelled, Succeeded, Succeeded, Succeeded]);
    assert_eq!(world.tasks.keys().collect::<Vec<_>>(), world.made[3..].iter().collect::<Vec<_>>());
    let status = world.status();
    assert_eq!((status.run_count, status.successful_runs, status.failed_runs), (Some(7), Some(5), Some(2)));
    assert_eq!((status.total_cost_usd.as_deref(), status.total_tokens), (Some("0.7000"), Some(70)));
    assert_eq!((status.last_run_cost_usd.as_deref(), status.last_run_phase), (Some("0.1000"), Some(Succeeded)));
}

#[test]
fn sums_outlive_what_a_status_remembers() {
    let none = json!({ "successfulTasksHistoryLimit": 0, "failedTasksHistoryLimit": 0 });
    let world = ran(&hourly(&none), &[TaskPhase::Succeeded; 40]);
    let status = world.status();
    assert_eq!((world.tasks.len(), status.runs.len(), status.run_count), (0, 10, Some(40)));
    assert_eq!((status.total_cost_usd.as_deref(), status.total_tokens), (Some("4.0000"), Some(400)));
}

#[test]
fn a_task_goes_only_when_the_written_status_says_how_it_ended() {
    let mut world = World::new(&hourly(&json!({ "successfulTasksHistoryLimit": 0 })));
    world.at("2026-03-02T01:00:00Z");
    let first = world.last();
    world.phase(&first, TaskPhase::Succeeded, "0.1");
    let plan = world.plan();
    assert_eq!((plan.remove.len(), plan.status.clone().unwrap().successful_runs), (0, Some(1)));
    world.carry_out(&plan, usize::MAX);
    assert_eq!(world.plan().remove.len(), 1);
}

#[test]
fn the_cost_of_a_run_under_way_is_told_and_stays_where_its_task_is_deleted() {
    let mut world = World::new(&hourly(&json!({})));
    world.at("2026-03-02T01:00:00Z");
    let first = world.last();
    world.ends(&first, TaskPhase::Running, "0.05").ends(&first, TaskPhase::Running, "0.25");
    assert_eq!(world.status().total_cost_usd.as_deref(), Some("0.2500"));
    world.tasks.clear();
    world.at("2026-03-02T01:00:20Z");
    assert_eq!(world.status().last_run_phase, Some(TaskPhase::Running), "it may be on its way to the cache");
    assert!(world.plan().again.is_some_and(|again| again.as_secs() <= 30));
    world.at("2026-03-02T01:00:40Z");
    let status = world.status();
    assert_eq!((status.last_run_phase, status.failed_runs), (Some(TaskPhase::Cancelled), Some(1)));
    assert_eq!(status.total_cost_usd.as_deref(), Some("0.2500"));
}

#[test]
fn a_cache_that_shows_what_was_before_doubles_nothing() {
    let mut world = ran(&hourly(&json!({})), &[TaskPhase::Succeeded; 3]);
    let (now, tasks) = (world.status(), world.tasks.clone());
    let last = world.last();
    // A replica that has just begun to lead: first without the last task, then with it as it ran, then as it is.
    world.tasks.remove(&last);
    world.settle();
    world.tasks.clone_from(&tasks);
    world.ends(&last, TaskPhase::Running, "0.01").ends(&last, TaskPhase::Succeeded, "0.1000");
    assert_eq!((world.status(), world.made.len()), (now, 3));
}

#[test]
fn a_status_from_before_is_counted_on_from() {
    let mut world = World::new(&hourly(&json!({})));
    let status = json!({ "runCount": 5, "successfulRuns": 4, "failedRuns": 1, "totalCostUSD": "2", "totalTokens": 9 });
    world.schedule.status = serde_json::from_value(status).unwrap();
    world.at("2026-03-02T01:00:00Z");
    let last = world.last();
    world.ends(&last, TaskPhase::Succeeded, "0.5");
    let status = world.status();
    assert_eq!((status.run_count, status.successful_runs, status.total_tokens), (Some(6), Some(5), Some(19)));
    assert_eq!(status.total_cost_usd.as_deref(), Some("2.5000"));
}
