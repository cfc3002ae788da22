//! Pods that ended, and pods that were made before a change.
use komputer_crds::v1beta1::Rollout;

use super::*;

/// The pod has ended, and is of that uid.
fn ends(observed: &mut Observed, uid: &str) -> Plan<KomputerSquadStatus> {
    let mut pod = (**observed.pod.as_ref().unwrap()).clone();
    pod.metadata.uid = Some(uid.into());
    pod.status.phase = Some("Failed".into());
    observed.pod = Some(Arc::new(pod));
    let plan = decide(observed);
    squad(observed, |squad| squad.status = plan.status.clone().or(squad.status.take()));
    plan
}

#[test]
fn pods_that_end_again_and_again_are_made_anew_ever_later() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada")])));
    works(&mut observed, "ada", true);
    assert_eq!(ends(&mut observed, "p1").remove, [its_pod()]);
    let second = ends(&mut observed, "p2");
    assert_eq!((second.remove.len(), second.again), (0, Some(Duration::from_secs(10))));
    assert_eq!((standing(&second).0.as_str(), standing(&second).2), ("PodFailed", SquadPhase::Pending));
    observed.now += SignedDuration::from_secs(10);
    assert_eq!(ends(&mut observed, "p2").remove.len(), 1);

    // The next one is ready, and after a while all is forgotten.
    let ready = json!([{ "type": "Ready", "status": "True", "lastTransitionTime": observed.now.to_string() }]);
    let mut pod = (**observed.pod.as_ref().unwrap()).clone();
    pod.status.phase = Some("Running".into());
    pod.status.conditions = serde_json::from_value(ready).unwrap();
    observed.pod = Some(Arc::new(pod));
    let plan = decide(&observed);
    let failures = |plan: Plan<KomputerSquadStatus>| plan.status.unwrap().pod_failure.map(|failure| failure.count);
    assert_eq!((plan.again, failures(plan)), (Some(Duration::from_mins(10)), Some(2)));
    observed.now += SignedDuration::from_mins(10);
    assert_eq!(failures(decide(&observed)), None);
}

#[test]
fn an_ended_pod_goes_at_once_where_nobody_has_to_be_awake() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada")])));
    for uid in ["p1", "p2"] {
        ends(&mut observed, uid);
    }
    sleeps(of(&mut observed, "ada"));
    let plan = ends(&mut observed, "p2");
    assert_eq!((plan.remove.len(), plan.status.unwrap().pod_failure), (1, None));
}

#[test]
fn the_most_careful_member_says_when_an_outdated_pod_is_replaced() {
    let outdated = |ada: Rollout, bob: Rollout| {
        let mut observed = crew(vec![member("ada"), member("bob")]);
        change(of(&mut observed, "ada"), |agent| agent.spec.rollout = Some(ada));
        change(of(&mut observed, "bob"), |agent| agent.spec.rollout = Some(bob));
        let mut observed = carried_out(carried_out(observed));
        observed.settings = Arc::new(Settings { agent_image: "agent:2".into(), ..(*observed.settings).clone() });
        works(&mut observed, "ada", true);
        observed
    };
    let goes = |observed: &Observed| decide(&carried_out(observed.clone())).remove == [its_pod()];

    let mut observed = outdated(Rollout::Immediately, Rollout::WhenIdle);
    assert!(!goes(&observed));
    works(&mut observed, "ada", false);
    assert!(goes(&observed));

    assert!(goes(&outdated(Rollout::Immediately, Rollout::Immediately)), "in the middle of a task");

    let mut observed = outdated(Rollout::Immediately, Rollout::OnDelete);
    works(&mut observed, "ada", false);
    assert!(!goes(&observed));
    let message = stands(&observed, "Running", "", SquadPhase::Running);
    assert!(message.contains("delete it to have it replaced"), "{message}");
    observed.members.push(member("cyd"));
    assert!(goes(&observed), "who joins does not wait for ever");
}
