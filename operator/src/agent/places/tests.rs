//! Each rule by its example.
use std::cmp::Reverse;

use jiff::Timestamp;

use super::{
    line::{News, Place},
    *,
};

fn id(text: &str) -> AgentId {
    let (namespace, name) = text.split_once('/').unwrap_or(("team", text));
    AgentId::new(namespace, name).unwrap()
}

fn at_most(limit: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(limit)
}

/// Of the template `small`, which lets one agent of a namespace be awake.
fn request(priority: i32, created: i64) -> Request {
    let order = Order { priority: Reverse(priority), created: Timestamp::from_second(created).ok() };
    Request { template: "small".into(), limit: at_most(1), order }
}

fn unlimited(priority: i32, created: i64) -> Request {
    Request { limit: None, ..request(priority, created) }
}

fn opened(limit: Option<NonZeroU32>) -> Line {
    let mut line = Line::new(limit);
    line.lead();
    line.open(Vec::new());
    line
}

fn waits_for_template(position: u32) -> Place {
    Place::Waits { position, limit: Limit::Template(NonZeroU32::MIN) }
}

fn woken(line: &mut Line) -> Vec<String> {
    line.news().wake.iter().map(|id| id.name().to_owned()).collect()
}

/// The agent's pod is made, seen and gone, and the agent wants no other.
fn lives(line: &mut Line, agent: &str) {
    line.pod_seen(&id(agent), "small");
    line.leave(&id(agent), false);
    line.pod_gone(&id(agent));
    is_missed(line);
}

/// The apiserver, asked for a pod, has none.
fn is_missed(line: &mut Line) {
    let doubts = line.news().doubts;
    assert_eq!(doubts.len(), 1);
    line.pod_missing(&doubts[0]);
}

#[test]
fn without_limits_everybody_has_a_place() {
    let mut line = opened(None);
    for agent in ["a", "b", "c"] {
        assert_eq!(line.ask(&id(agent), unlimited(0, 0)), Place::Given);
    }
    assert_eq!(woken(&mut line), Vec::<String>::new());
}

#[test]
fn higher_priority_goes_first_then_age_then_name() {
    let mut line = opened(None);
    assert_eq!(line.ask(&id("awake"), request(0, 0)), Place::Given);
    for (agent, priority, created) in [("young", 0, 9), ("b", 0, 5), ("a", 0, 5), ("urgent", 3, 9)] {
        line.ask(&id(agent), request(priority, created));
    }
    let mut order = Vec::new();
    let mut last = "awake".to_owned();
    for _ in 0..4 {
        lives(&mut line, &last);
        last = woken(&mut line).remove(1); // after that which has left
        assert_eq!(line.ask(&id(&last), request(0, 0)), Place::Given);
        order.push(last.clone());
    }
    assert_eq!(order, ["urgent", "a", "b", "young"]);
}

#[test]
fn positions_are_told_and_who_comes_nearer_is_woken() {
    let mut line = opened(None);
    line.ask(&id("awake"), request(0, 0));
    assert_eq!(line.ask(&id("b"), request(0, 2)), waits_for_template(1));
    assert_eq!(line.ask(&id("c"), request(0, 3)), waits_for_template(2));
    assert_eq!(woken(&mut line), Vec::<String>::new());
    assert_eq!(line.ask(&id("a"), request(0, 1)), waits_for_template(1));
    assert_eq!(woken(&mut line), ["b", "c"]);
    line.leave(&id("a"), false);
    assert_eq!(woken(&mut line), ["b", "c"]);
    line.leave(&id("a"), false);
    assert_eq!(woken(&mut line), Vec::<String>::new());
}

#[test]
fn one_departure_tells_few_of_many() {
    let mut line = opened(None);
    line.ask(&id("awake"), request(0, 0));
    for index in 0..1000 {
        line.ask(&id(&format!("w{index:04}")), request(0, 1));
    }
    assert_eq!(line.ask(&id("w0999"), request(0, 1)), waits_for_template(1000));
    assert_eq!(line.ask(&id("w0011"), request(0, 1)), waits_for_template(20));
    woken(&mut line);
    lives(&mut line, "awake");
    assert_eq!(woken(&mut line).len(), 1 + 1 + 10 + 9 + 8); // one has left, and it is another's turn
}

#[test]
fn a_place_is_kept_until_the_pod_is_gone() {
    let mut line = opened(None);
    line.ask(&id("a"), request(0, 0));
    line.pod_seen(&id("a"), "small");
    line.ask(&id("b"), request(0, 1));
    line.leave(&id("a"), false);
    assert_eq!(line.ask(&id("b"), request(0, 1)), waits_for_template(1));
    line.pod_gone(&id("a"));
    assert_eq!(line.ask(&id("b"), request(0, 1)), waits_for_template(1));
    is_missed(&mut line);
    assert_eq!((woken(&mut line), line.ask(&id("b"), request(0, 1))), (vec!["a".into(), "b".into()], Place::Given));
}

#[test]
fn who_waits_and_may_be_let_in_has_left_once_the_apiserver_has_no_such_pod() {
    let mut line = opened(None);
    line.ask(&id("a"), request(0, 0));
    assert_eq!(line.ask(&id("b"), request(0, 1)), waits_for_template(1));
    assert!(!line.leave(&id("b"), true) && !line.leave(&id("b"), true), "its pod may be on its way");
    assert_eq!(
        line.ask(&id("b"), request(0, 1)),
        Place::Unknown,
        "another of its name may be in that pod, and has no place"
    );
    is_missed(&mut line);
    assert!(line.leave(&id("b"), true), "it waits no more");
    line.ask(&id("c"), request(0, 1));
    assert!(line.leave(&id("c"), false));
    assert!(!line.leave(&id("a"), false), "it has a place");
}

#[test]
fn a_pod_that_is_replaced_keeps_its_place() {
    let mut line = opened(None);
    line.ask(&id("a"), request(0, 9));
    line.pod_seen(&id("a"), "small");
    line.ask(&id("b"), request(5, 1));
    line.pod_gone(&id("a"));
    assert_eq!(line.ask(&id("a"), request(0, 9)), Place::Given);
    assert_eq!(line.ask(&id("b"), request(5, 1)), waits_for_template(1));
}

#[test]
fn a_pod_that_nobody_has_seen_keeps_its_place_until_the_apiserver_has_none() {
    let mut line = opened(None);
    line.ask(&id("a"), request(0, 0));
    line.ask(&id("b"), request(0, 1));
    line.leave(&id("a"), false);
    line.leave(&id("a"), false);
    let first = line.news().doubts.remove(0);
    assert_eq!(line.ask(&id("b"), request(0, 1)), waits_for_template(1));

    // It is wanted again before the answer comes, which says nothing of the second pod.
    assert_eq!(line.ask(&id("a"), request(0, 0)), Place::Given);
    line.pod_missing(&first);
    assert_eq!(line.ask(&id("b"), request(0, 1)), waits_for_template(1));

    // Late news of the first pod says nothing of the second either.
    line.pod_seen(&id("a"), "small");
    line.pod_gone(&id("a"));
    line.leave(&id("a"), false);
    assert_eq!(line.ask(&id("b"), request(0, 1)), waits_for_template(1));
    is_missed(&mut line);
    assert_eq!(line.ask(&id("b"), request(0, 1)), Place::Given);
}

#[test]
fn a_pod_that_appears_without_having_asked_takes_a_place_and_gives_no_right_to_it() {
    let mut line = opened(None);
    line.pod_seen(&id("stranger"), "small");
    assert_eq!(line.ask(&id("a"), request(0, 0)), waits_for_template(1));
    assert_eq!(line.ask(&id("stranger"), request(0, 0)), Place::Unknown);
    line.pod_gone(&id("stranger"));
    is_missed(&mut line);
    assert_eq!(line.ask(&id("stranger"), request(0, 1)), waits_for_template(1));
    assert_eq!(line.ask(&id("a"), request(0, 0)), Place::Given);
}

#[test]
fn another_template_is_another_line_once_the_last_pod_is_known_to_be_gone() {
    let mut line = opened(None);
    let other = || Request { template: "other".into(), ..request(0, 0) };
    line.ask(&id("a"), request(0, 0));
    assert_eq!(line.ask(&id("a"), other()), Place::Unknown);
    assert_eq!(line.ask(&id("b"), request(0, 1)), waits_for_template(1));
    let doubts = line.news().doubts;
    line.pod_missing(&doubts[0]);
    assert_eq!(woken(&mut line), ["a", "b"]);
    assert_eq!(line.ask(&id("b"), request(0, 1)), Place::Given);
    assert_eq!(line.ask(&id("a"), other()), Place::Given);
}

#[test]
fn a_raised_limit_lets_more_go_and_a_lowered_one_stops_nobody() {
    let mut line = opened(None);
    let of = |limit| Request { limit: at_most(limit), ..request(0, 0) };
    for agent in ["a", "b", "c", "d"] {
        line.ask(&id(agent), of(2));
    }
    woken(&mut line);
    assert_eq!(line.ask(&id("d"), of(3)), Place::Waits { position: 1, limit: Limit::Template(at_most(3).unwrap()) });
    assert_eq!(woken(&mut line), ["c"]);
    line.ask(&id("d"), of(1));
    for agent in ["a", "b"] {
        lives(&mut line, agent);
    }
    assert_eq!(line.ask(&id("d"), of(1)), waits_for_template(1));
}

#[test]
fn of_equal_priority_the_namespace_with_the_fewest_awake_goes_first() {
    let mut line = opened(at_most(3));
    for (agent, created) in [("a/1", 1), ("a/2", 2), ("a/3", 3), ("a/4", 4), ("b/1", 5), ("b/2", 6)] {
        line.ask(&id(agent), unlimited(0, created));
    }
    let position = |line: &mut Line, agent, created| match line.ask(&id(agent), unlimited(0, created)) {
        Place::Waits { position, limit: Limit::Installation(_) } => position,
        other => panic!("{other:?}"),
    };
    let positions = [position(&mut line, "b/1", 5), position(&mut line, "b/2", 6), position(&mut line, "a/4", 4)];
    assert_eq!(positions, [1, 2, 3]);
    line.ask(&id("a/5"), unlimited(1, 9));
    assert_eq!(position(&mut line, "b/1", 5), 2);
}

#[test]
fn who_waits_for_its_template_keeps_nobody_from_the_installations_places() {
    let mut line = opened(at_most(2));
    line.ask(&id("a"), request(0, 0));
    assert_eq!(line.ask(&id("b"), request(9, 0)), waits_for_template(1));
    assert_eq!(line.ask(&id("c"), Request { template: "other".into(), ..unlimited(0, 9) }), Place::Given);
}

#[test]
fn at_the_start_the_order_decides_and_not_who_asks_first() {
    let mut line = Line::new(None);
    line.pod_seen(&id("gone"), "small");
    line.pod_gone(&id("gone"));
    line.lead();
    line.open(vec![(id("young"), request(0, 2)), (id("old"), request(0, 1))]);
    assert_eq!(line.ask(&id("young"), request(0, 2)), waits_for_template(1));
    assert_eq!(line.ask(&id("old"), request(0, 1)), Place::Given);
}

#[test]
fn a_pod_that_the_cache_does_not_show_yet_is_counted_at_the_start() {
    let mut line = Line::new(None);
    line.lead();
    line.pod_listed(&id("a"), "small");
    let News { doubts, .. } = line.news();
    line.open(vec![(id("b"), request(0, 0))]);
    assert_eq!(line.ask(&id("b"), request(0, 0)), waits_for_template(1));
    line.pod_missing(&doubts[0]);
    assert_eq!(line.ask(&id("b"), request(0, 0)), Place::Given);
}

#[test]
fn members_of_a_squad_count_each() {
    let (places, mut doubts) = Places::new(at_most(2), Queue::default());
    places.line().lead();
    places.open(Vec::new());
    let seats = r#"{"ada":{"container":"ada","port":8000,"template":"a"},"bob":{"container":"bob","port":8001,"template":"b"}}"#;
    let pod: crate::agent::AgentPod = serde_json::from_value(serde_json::json!({ "metadata": {
        "name": "crew-squad", "namespace": "team", "annotations": { crate::agent::SEATS: seats },
    } }))
    .unwrap();
    places.pod_changed(&pod, Change::Applied);
    let expected = [(id("ada"), "a".to_owned()), (id("bob"), "b".to_owned())];
    assert_eq!(places.line().taken(), expected.into());
    assert_ne!(places.ask(&id("cyd"), unlimited(0, 0)), Place::Given);
    assert_eq!(places.pods_of(&id("ada")), ["ada".into(), "crew-squad".into()].into(), "where it is looked for");
    places.pod_changed(&pod, Change::Deleted);
    while let Ok(doubt) = doubts.0.try_recv() {
        places.line().pod_missing(&doubt);
    }
    assert_eq!(places.ask(&id("cyd"), unlimited(0, 0)), Place::Given);
}

#[test]
fn who_was_let_in_beyond_a_limit_waits_for_its_turn_once_its_pod_is_gone() {
    let mut line = Line::new(None);
    line.lead();
    for member in ["a", "b"] {
        line.pod_listed(&id(member), "small");
        line.pod_seen(&id(member), "small");
    }
    line.open(Vec::new());
    line.news();
    line.pod_gone(&id("b"));
    assert_eq!(line.ask(&id("b"), request(0, 1)), Place::Unknown);
    let doubts = line.news().doubts;
    line.pod_missing(&doubts[0]);
    assert_eq!(line.ask(&id("b"), request(0, 1)), waits_for_template(1), "a is awake");
    line.pod_gone(&id("a"));
    assert_eq!(line.ask(&id("a"), request(0, 2)), Place::Given, "there is no other than a");
}
