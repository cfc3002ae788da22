use super::*;

fn hourly() -> World {
    World::new(&json!({ "schedule": "0 * * * *" }))
}

#[test]
fn a_run_begins_at_its_time_once_and_the_next_one_is_known() {
    let mut world = hourly();
    world.settle();
    assert_eq!((world.runs(), world.next()), (vec![], Some("2026-03-02T01:00:00Z".into())));
    assert_eq!(world.ready(), ready("True", "Scheduled"));
    assert_eq!(world.plan().again.map(|again| again.as_secs()), Some(3600));
    world.at("2026-03-02T00:59:59.999Z");
    assert_eq!(world.runs(), Vec::<String>::new());
    world.at("2026-03-02T01:00:00Z").at("2026-03-02T01:00:00.5Z").at("2026-03-02T01:30:00Z");
    assert_eq!(
        (world.runs(), world.next()),
        (vec!["2026-03-02T01:00:00Z".into()], Some("2026-03-02T02:00:00Z".into()))
    );
    let task = &world.tasks[&world.last()];
    assert_eq!(task.metadata.owner_references.as_ref().unwrap()[0].uid, "u1");
    assert_eq!(task.labels()[SCHEDULE], "s");
    assert_eq!(task.annotations()["komputer.ai/scheduled-at"], "2026-03-02T01:00:00Z");
    assert_eq!(world.status().last_run_name, Some(world.last()));
}

#[test]
fn of_runs_that_were_missed_the_last_begins() {
    let mut world = hourly();
    world.settle().at("2026-03-02T05:20:00Z");
    assert_eq!(world.runs(), ["2026-03-02T05:00:00Z"]);
    let message = "KomputerTask s-1772427600 does the run of 2026-03-02T05:00:00Z; left out before it: 4";
    assert!(world.told.iter().any(|(_, said)| said == message), "{:?}", world.told);
    // Nobody had seen it before.
    let mut world = hourly();
    world.at("2026-03-02T05:20:00Z");
    assert_eq!(world.runs(), ["2026-03-02T05:00:00Z"]);
}

#[test]
fn more_than_a_hundred_missed_runs_are_told_of_and_the_last_begins() {
    let mut world = World::new(&json!({ "schedule": "* * * * * *" }));
    world.at("2027-03-02T00:00:00Z");
    assert_eq!(world.runs(), ["2027-03-02T00:00:00Z"]);
    assert!(world.reasons().contains(&"TooManyMissedRuns"));
}

#[test]
fn a_run_that_is_too_late_is_left_out_and_told_of_once() {
    let mut world = hourly();
    world.spec("startingDeadlineSeconds", &json!(600));
    world.at("2026-03-02T01:10:00Z");
    assert_eq!(world.runs(), ["2026-03-02T01:00:00Z"]);
    let last = world.last();
    world.ends(&last, TaskPhase::Succeeded, "0.1").at("2026-03-02T02:10:01Z").at("2026-03-02T02:20:00Z");
    assert_eq!(world.runs().len(), 1);
    assert_eq!(world.reasons().iter().filter(|reason| **reason == "RunMissed").count(), 1);
    assert_eq!(world.next(), Some("2026-03-02T03:00:00Z".into()));
    assert_eq!(world.status().last_skipped_time.map(|time| time.0), Some(time("2026-03-02T02:00:00Z")));
}

#[test]
fn clocks_going_forward_and_back_leave_out_and_double_no_run() {
    for (start, days, expected) in [
        // From 02:00 to 03:00 on the 29th, and back from 03:00 to 02:00 on the 25th.
        ("2026-03-28T00:00:00Z", 3, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("2026-10-24T00:00:00Z", 3, ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ] {
        let mut world =
            World::new(&json!({ "schedule": "30 2 * * *", "timeZone": "Europe/Berlin", "concurrencyPolicy": "Allow" }));
        world.schedule.metadata.creation_timestamp = Some(Time(time(start)));
        for minutes in 0..days * 24 * 12 {
            world.now = time(start) + jiff::SignedDuration::from_mins(minutes * 5);
            world.settle();
        }
        assert_eq!(world.runs(), expected);
    }
}

#[test]
fn a_clock_that_is_set_back_doubles_no_run() {
    let mut world = World::new(&json!({ "schedule": "* * * * *", "concurrencyPolicy": "Allow" }));
    world.at("2026-03-02T01:00:00Z").at("2026-03-02T00:59:57Z").at("2026-03-02T00:58:00Z");
    assert_eq!(world.next(), Some("2026-03-02T01:01:00Z".into()));
    world.at("2026-03-02T01:00:00Z");
    assert_eq!(
        (world.runs(), world.next()),
        (vec!["2026-03-02T01:00:00Z".into()], Some("2026-03-02T01:01:00Z".into()))
    );
    world.at("2026-03-02T01:01:00Z");
    assert_eq!(world.runs().len(), 2);
}

#[test]
fn an_edit_makes_no_run_of_what_is_past() {
    let mut world = World::new(&json!({ "schedule": "0 12 * * *" }));
    world.at("2026-03-02T10:00:00Z").spec("schedule", &json!("0 9 * * *"));
    assert_eq!((world.runs(), world.next()), (vec![], Some("2026-03-03T09:00:00Z".into())));
    world.at("2026-03-02T10:05:00Z").spec("schedule", &json!("30 * * * *"));
    assert_eq!((world.runs(), world.next()), (vec![], Some("2026-03-02T10:30:00Z".into())));
    world.at("2026-03-02T10:30:00Z");
    assert_eq!(world.runs(), ["2026-03-02T10:30:00Z"]);
}

#[test]
fn one_time_makes_one_run() {
    let mut world = World::new(&json!({ "at": "2026-03-02T09:00:00.5Z" }));
    world.settle();
    assert_eq!((world.ready(), world.next()), (ready("True", "Scheduled"), Some("2026-03-02T09:00:00Z".into())));
    world.at("2026-03-02T09:00:01Z").at("2026-03-02T10:00:00Z");
    assert_eq!((world.runs().len(), world.next(), world.ready()), (1, None, ready("True", "LastRun")));
    let last = world.last();
    world.ends(&last, TaskPhase::Failed, "0").at("2026-03-03T00:00:00Z");
    assert_eq!((world.runs().len(), world.ready()), (1, ready("True", "Completed")));
    world.spec("at", &json!("2026-03-04T00:00:00Z")).at("2026-03-04T00:00:00Z");
    assert_eq!(world.runs().len(), 2);
}

#[test]
fn one_time_that_is_over_when_the_schedule_comes_makes_no_run() {
    let mut world = World::new(&json!({ "at": "2026-03-01T09:00:00Z" }));
    world.settle();
    assert_eq!((world.runs().len(), world.ready()), (0, ready("True", "Completed")));
    assert!(world.message().starts_with("No run began, because spec.at was over"));
}

#[test]
fn what_admission_would_have_refused_is_stalled_and_runs_nothing() {
    let mut world = World::new(&json!({ "schedule": "61 * * * *" }));
    world.at("2026-03-03T00:00:00Z");
    assert_eq!((world.runs().len(), world.ready(), world.next()), (0, ready("False", "InvalidSpec"), None));
    assert!(world.message().starts_with("spec.schedule: Invalid value: \"61 * * * *\""), "{}", world.message());
}
