//! Whatever part of a plan was carried out, the world comes to the same.
use super::*;

/// Where a step of a story is cut, and the time that has gone by before the next look.
fn interrupted(world: &World, steps: usize, later: i64) -> World {
    let mut world = world.clone();
    let plan = world.plan();
    world.carry_out(&plan, steps);
    world.now += jiff::SignedDuration::from_secs(later);
    world.settle();
    world
}

/// What is left of a world beside the words and moments of the way there.
fn outcome(world: &World) -> (Vec<String>, Vec<String>, Value) {
    let status = world.status();
    let runs: Vec<_> = status.runs.iter().map(|run| (&run.name, run.phase)).collect();
    // When it was triggered is when that was seen.
    let last = status.last_run_time.filter(|_| status.last_trigger.is_none());
    let sums = json!([
        (status.run_count, status.successful_runs, status.failed_runs, status.total_cost_usd, status.total_tokens),
        (status.last_run_name, last, status.next_run_time, status.last_trigger.map(|trigger| trigger.value), runs),
    ]);
    (world.made.clone(), world.tasks.keys().cloned().collect(), sums)
}

#[track_caller]
fn cut_anywhere(before: &World) {
    let whole = outcome(&interrupted(before, usize::MAX, 3));
    let mut steps = 0;
    loop {
        let more = before.clone().carry_out(&before.plan(), steps);
        assert_eq!(outcome(&interrupted(before, steps, 3)), whole, "after {steps} steps");
        if !more {
            break;
        }
        steps += 1;
    }
    assert!(steps > 0, "nothing was to be done");
}

fn world(more: &Value) -> World {
    let mut spec = json!({ "schedule": "0 * * * *", "agent": {}, "agentRef": null });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut world = World::new(&spec);
    world.agent = None;
    world.settle();
    world
}

#[test]
fn while_a_run_begins() {
    let mut world = world(&json!({}));
    world.now = time("2026-03-02T01:00:00Z");
    cut_anywhere(&world);
    world.agent = None;
    cut_anywhere(&world);
}

#[test]
fn while_a_run_is_triggered() {
    let mut world = world(&json!({}));
    world.schedule.annotations_mut().insert(TRIGGER.into(), "1".into());
    cut_anywhere(&world);
}

#[test]
fn while_a_run_replaces_another() {
    let mut world = world(&json!({ "concurrencyPolicy": "Replace" }));
    world.at("2026-03-02T01:00:00Z");
    let first = world.last();
    world.ends(&first, TaskPhase::Running, "0.1");
    world.now = time("2026-03-02T02:00:00Z");
    cut_anywhere(&world);
}

#[test]
fn while_a_run_is_counted_and_its_task_deleted() {
    let mut world = world(&json!({ "successfulTasksHistoryLimit": 0 }));
    world.at("2026-03-02T01:00:00Z");
    let first = world.last();
    world.phase(&first, TaskPhase::Succeeded, "0.1000");
    cut_anywhere(&world);
    let plan = world.plan();
    world.carry_out(&plan, usize::MAX);
    cut_anywhere(&world);
}

#[test]
fn while_a_schedule_completes() {
    let mut world = world(&json!({ "completions": 1 }));
    world.at("2026-03-02T01:00:00Z");
    let first = world.last();
    world.phase(&first, TaskPhase::Succeeded, "0.1");
    cut_anywhere(&world);
}

#[test]
fn for_so_long_that_another_run_is_due() {
    for (policy, expected) in [("Forbid", 1), ("Allow", 2), ("Replace", 2)] {
        let mut before = world(&json!({ "concurrencyPolicy": policy }));
        before.now = time("2026-03-02T01:00:00Z");
        // The task was made, the status not written, and nobody looked for an hour.
        let after = interrupted(&before, 1, 3600);
        assert_eq!((after.made.len(), after.status().run_count), (expected, i64::try_from(expected).ok()), "{policy}");
        assert_eq!(after.made.iter().collect::<std::collections::BTreeSet<_>>().len(), expected, "{policy}");
    }
}
