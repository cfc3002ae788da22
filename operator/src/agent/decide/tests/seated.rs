//! Agents of a squad.
use komputer_events::task::PORT;

use super::*;
use crate::agent::{Membership, Seat};

/// An agent of the squad `crew`, without a pod.
fn member() -> Observed {
    let mut observed = world();
    observed.volume = Some(volume(&observed));
    observed.squad = Some(Membership { squad: "crew".into(), stays: true, begins: true, pod: None, seat: None });
    observed
}

/// The same in the squad's pod, where its container is ready.
fn seated() -> Observed {
    let mut observed = member();
    let seat = |port| Seat { uid: "u1".into(), container: "ada".into(), port, template: "default".into() };
    let mut pod = AgentPod::default();
    pod.metadata.name = Some("crew-squad".into());
    pod.metadata.uid = Some("p9".into());
    pod.seats = [("ada".into(), seat(PORT + 1)), ("bob".into(), seat(PORT))].into();
    let containers = json!([{ "name": "ada", "ready": true }, { "name": "bob" }]);
    pod.status = serde_json::from_value(json!({ "podIP": "10.0.0.9", "containerStatuses": containers })).unwrap();
    let membership = observed.squad.as_mut().unwrap();
    membership.pod = Some(Arc::new(pod));
    membership.seat = Some(seat(PORT + 1));
    observed
}

fn membership(observed: &mut Observed) -> &mut Membership {
    observed.squad.as_mut().unwrap()
}

#[test]
fn a_member_makes_no_pod_of_its_own() {
    let plan = decide(&member());
    assert_eq!((kinds(&plan), plan.remove.len()), (vec![], 0));
    assert_eq!(standing(&plan).1, "Starting");
    assert!(standing(&plan).2.contains("KomputerSquad crew"));
    assert_eq!(plan.status.unwrap().pod_name, Some("crew-squad".into()));
}

#[test]
fn a_member_is_told_its_tasks_at_its_own_port_and_where_the_others_are() {
    let mut observed = seated();
    observed.tasks = vec![task("one", TaskPhase::Pending)];
    let plan = decide(&observed);
    let [Call::Allow { .. }, Call::Teach { pod, .. }, Call::PutTask { request, .. }] = &plan.calls[..] else {
        panic!("{:?}", plan.calls)
    };
    assert_eq!((pod.ip.as_str(), pod.port, pod.uid.as_str()), ("10.0.0.9", PORT + 1, "p9"));
    let prompt = request.system_prompt.as_deref().unwrap();
    assert!(prompt.contains("bob: /agents/bob/workspace") && !prompt.contains("/agents/ada"), "{prompt}");
    assert_eq!(standing(&plan).1, "Working");
}

#[test]
fn a_member_is_ready_whatever_becomes_of_the_others() {
    assert_eq!(standing(&decide(&seated())).1, "Idle");
    let mut observed = seated();
    change_pod(&mut observed, |pod| {
        pod.status.container_statuses.reverse();
        pod.status.container_statuses[1].ready = false;
        pod.status.container_statuses[0].ready = true;
    });
    assert_eq!(standing(&decide(&observed)).1, "Starting");
}

/// The squad's pod, changed.
fn change_pod(observed: &mut Observed, change: impl FnOnce(&mut AgentPod)) {
    change(Arc::make_mut(membership(observed).pod.as_mut().unwrap()));
}

#[test]
fn a_member_whose_pod_has_ended_says_so_and_leaves_the_next_to_the_squad() {
    let mut observed = seated();
    change_pod(&mut observed, |pod| {
        pod.status.phase = Some("Failed".into());
        pod.status.reason = Some("Evicted".into());
    });
    let plan = decide(&observed);
    assert_eq!((standing(&plan).1.as_str(), plan.remove.len(), plan.apply.len()), ("PodFailed", 0, 0));
    assert_eq!(standing(&plan).2, "Pod crew-squad has ended: Evicted; KomputerSquad crew makes the next");
}

#[test]
fn a_member_whose_workspace_is_gone_gets_another_while_its_pod_waits_for_one() {
    let mut observed = seated();
    observed.volume = None;
    let made = observed.now;
    change_pod(&mut observed, |pod| {
        pod.status.container_statuses[0].ready = false;
        pod.metadata.creation_timestamp = Some(Time(made));
    });
    assert_eq!(kinds(&decide(&observed)), Vec::<&str>::new(), "it may be about to be seen");
    observed.now += Duration::from_secs(5);
    assert_eq!(kinds(&decide(&observed)), ["Volume"]);
}

#[test]
fn an_agent_moves_into_the_pod_between_two_tasks() {
    let mut observed = awake();
    observed.squad = member().squad;
    observed.tasks = vec![task("one", TaskPhase::Running), task("two", TaskPhase::Pending)];
    let plan = decide(&observed);
    assert!(plan.remove.is_empty());
    assert!(plan.calls.iter().all(|call| !matches!(call, Call::PutTask { uid, .. } if uid == "two-uid")));

    observed.tasks[0].1 = TaskPhase::Succeeded;
    let plan = decide(&observed);
    assert_eq!(
        (plan.remove.clone(), plan.calls.len()),
        (vec![Removal::Pod(Exactly { name: "ada".into(), uid: "p1".into() })], 0)
    );
    assert!(standing(&plan).2.contains("moves into"));
}

#[test]
fn nothing_is_begun_in_a_pod_that_is_to_go() {
    let mut observed = seated();
    observed.tasks = vec![task("one", TaskPhase::Pending)];
    membership(&mut observed).begins = false;
    assert!(decide(&observed).calls.is_empty());
    observed.tasks = vec![task("one", TaskPhase::Running), task("two", TaskPhase::Pending)];
    let calls = decide(&observed).calls;
    let uids = calls.iter().filter_map(|call| match call {
        Call::PutTask { uid, .. } => Some(uid.as_str()),
        _ => None,
    });
    assert_eq!(uids.collect::<Vec<_>>(), ["one-uid"]);
}

#[test]
fn who_has_left_makes_a_pod_once_it_sits_nowhere() {
    let mut observed = seated();
    membership(&mut observed).stays = false;
    membership(&mut observed).begins = false;
    let plan = decide(&observed);
    assert_eq!(kinds(&plan), Vec::<&str>::new());
    assert!(standing(&plan).2.contains("leaves the pod of KomputerSquad crew"));
    observed.squad = None;
    assert_eq!(kinds(&decide(&observed)), ["Secret", "Pod"]);
}

#[test]
fn who_needs_no_rest_while_others_are_awake_sleeps_with_them() {
    let sleeps = |mut observed: Observed| {
        change(&mut observed, |agent| {
            agent.spec.lifecycle = Some(Lifecycle { after_task: Some(AfterTask::Sleep), ..Default::default() });
        });
        standing(&decide(&observed)).1
    };
    assert_eq!((sleeps(seated()), sleeps(member())), ("Idle".into(), "Sleeping".into()));
}

#[test]
fn a_workspace_is_kept_while_it_is_mounted() {
    let finished = |mut observed: Observed| {
        observed.tasks = vec![task("one", TaskPhase::Succeeded)];
        change(&mut observed, |agent| {
            agent.spec.lifecycle = Some(Lifecycle { after_task: Some(AfterTask::Delete), ..Default::default() });
        });
        decide(&observed).remove
    };
    assert!(finished(seated()).is_empty());
    assert!(matches!(&finished(member())[..], [Removal::Volume(exactly)] if exactly.name == "ada"));
}
