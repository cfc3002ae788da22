use super::*;

fn with(policy: &str) -> World {
    let mut world = World::new(&json!({ "schedule": "0 * * * *", "concurrencyPolicy": policy }));
    world.at("2026-03-02T01:00:00Z");
    let first = world.last();
    world.ends(&first, TaskPhase::Running, "0.1").at("2026-03-02T02:00:00Z");
    world
}

#[test]
fn forbid_has_a_run_wait_and_only_the_last_that_waits_begins() {
    let mut world = with("Forbid");
    assert_eq!((world.runs().len(), world.next()), (1, Some("2026-03-02T02:00:00Z".into())));
    assert_eq!(world.plan().again.map(|again| again.as_secs()), Some(3600));
    world.at("2026-03-02T03:00:00Z").at("2026-03-02T03:10:00Z");
    assert_eq!((world.runs().len(), world.next()), (1, Some("2026-03-02T02:00:00Z".into())), "since then one waits");
    assert_eq!(world.reasons().iter().filter(|reason| **reason == "RunWaits").count(), 1);
    let first = world.last();
    world.ends(&first, TaskPhase::Succeeded, "0.1");
    assert_eq!(world.runs(), ["2026-03-02T01:00:00Z", "2026-03-02T03:00:00Z"]);
    assert!(world.told.last().unwrap().1.ends_with("03:00:00Z; left out before it: 1"), "{:?}", world.told);
    assert_eq!(world.next(), Some("2026-03-02T04:00:00Z".into()));
}

#[test]
fn forbid_and_a_deadline_leave_a_run_out() {
    let mut world = with("Forbid");
    let first = world.last();
    world.spec("startingDeadlineSeconds", &json!(60)).at("2026-03-02T02:30:00Z").ends(&first, TaskPhase::Failed, "0");
    assert_eq!((world.runs().len(), world.next()), (1, Some("2026-03-02T03:00:00Z".into())));
}

#[test]
fn allow_begins_another_beside_it() {
    let world = with("Allow");
    assert_eq!(world.runs(), ["2026-03-02T01:00:00Z", "2026-03-02T02:00:00Z"]);
    assert!(world.tasks.values().all(|task| task.spec.cancel.is_none()));
}

#[test]
fn allow_has_an_end() {
    let mut world = World::new(&json!({ "schedule": "* * * * *", "concurrencyPolicy": "Allow" }));
    for minute in 1..=120 {
        world.now = time("2026-03-02T00:00:00Z") + jiff::SignedDuration::from_mins(minute);
        world.settle();
    }
    assert_eq!(world.made.len(), 100);
    let first = world.made[0].clone();
    world.ends(&first, TaskPhase::Succeeded, "0");
    assert_eq!(world.made.len(), 101);
}

#[test]
fn replace_cancels_what_is_under_way() {
    let mut world = with("Replace");
    assert_eq!(world.runs(), ["2026-03-02T01:00:00Z", "2026-03-02T02:00:00Z"]);
    let cancelled = |world: &World| world.made.iter().map(|name| world.tasks[name].spec.cancel).collect::<Vec<_>>();
    assert_eq!(cancelled(&world), [Some(true), None]);
    world.at("2026-03-02T03:00:00Z");
    assert_eq!(cancelled(&world), [Some(true), Some(true), None]);
    let first = world.made[0].clone();
    world.ends(&first, TaskPhase::Cancelled, "0.2");
    assert_eq!((world.status().failed_runs, world.status().run_count), (Some(1), Some(3)));
}

#[test]
fn nothing_begins_while_suspended_and_the_last_run_is_made_up_for() {
    let mut world = World::new(&json!({ "schedule": "0 * * * *", "suspend": true }));
    world.at("2026-03-02T05:30:00Z");
    assert_eq!((world.runs().len(), world.next(), world.ready()), (0, None, ready("True", "Suspended")));
    assert_eq!(world.plan().again, None);
    world.spec("suspend", &json!(false));
    assert_eq!((world.runs(), world.ready()), (vec!["2026-03-02T05:00:00Z".into()], ready("True", "Scheduled")));

    let mut world = World::new(&json!({ "schedule": "0 * * * *", "suspend": true, "startingDeadlineSeconds": 600 }));
    world.at("2026-03-02T05:30:00Z").spec("suspend", &json!(false));
    assert_eq!((world.runs().len(), world.next()), (0, Some("2026-03-02T06:00:00Z".into())));
}

#[test]
fn a_trigger_makes_one_run_at_once_whatever_else_there_is() {
    let mut world = with("Forbid");
    world.at("2026-03-02T02:10:00Z").trigger("now").trigger("now");
    assert_eq!((world.made.len(), world.status().run_count), (2, Some(2)));
    let trigger = world.status().last_trigger.unwrap();
    assert_eq!((trigger.value.as_str(), trigger.time.0), ("now", time("2026-03-02T02:10:00Z")));
    world.at("2026-03-02T02:11:00Z").trigger("again").at("2026-03-02T02:12:00Z").trigger("now");
    assert_eq!(world.made.len(), 4);
    assert!(world.made.iter().all(|name| name.len() <= "s".len() + 11), "{:?}", world.made);

    let mut world = World::new(&json!({ "schedule": "0 * * * *", "suspend": true }));
    world.settle().trigger("1");
    assert_eq!((world.made.len(), world.ready()), (1, ready("True", "Suspended")));
}

#[test]
fn completions_end_a_schedule_and_failures_do_not_count() {
    let mut world = World::new(&json!({ "schedule": "0 * * * *", "completions": 1 }));
    for (now, phase) in [("2026-03-02T01:00:00Z", TaskPhase::Failed), ("2026-03-02T02:00:00Z", TaskPhase::Succeeded)] {
        world.at(now);
        let last = world.last();
        world.ends(&last, phase, "0.1");
    }
    world.at("2026-03-02T09:00:00Z");
    assert_eq!((world.made.len(), world.next(), world.ready()), (2, None, ready("True", "Completed")));
    world.trigger("1");
    assert_eq!((world.made.len(), world.reasons().last()), (2, Some(&"TriggerRefused")));
    world.spec("completions", &json!(2)).at("2026-03-02T10:00:00Z");
    assert_eq!(world.status().last_run_time.map(|run| run.0), Some(time("2026-03-02T09:00:00Z")), "made up for");
}
