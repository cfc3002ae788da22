//! Pods that were made before a change.
use super::*;
use crate::agent::{
    Replacement,
    rollout::{self, Stage},
};

#[test]
fn when_an_outdated_pod_is_replaced_is_the_agents_word_before_the_templates() {
    let outdated = |of_template: Option<Rollout>, of_agent: Option<Rollout>, phase: TaskPhase| {
        let mut observed = awake();
        observed.template.as_mut().unwrap().template.image = Some("agent:2".into());
        observed.template.as_mut().unwrap().template.rollout = of_template;
        change(&mut observed, |agent| agent.spec.rollout = of_agent);
        observed.tasks = vec![task("a", phase)];
        let plan = decide(&observed);
        let conditions = plan.status.unwrap().conditions;
        let remark = conditions.iter().find(|condition| condition.type_ == "PodOutdated");
        (plan.remove, remark.map(|remark| remark.reason.clone()))
    };
    let (replaced, waits) = ((vec![pod_removal()], None), |reason: &str| (vec![], Some(reason.to_owned())));
    assert_eq!(outdated(None, None, TaskPhase::Succeeded), replaced);
    assert_eq!(outdated(None, None, TaskPhase::Running), waits("WaitsForTask"));
    assert_eq!(outdated(Some(Rollout::Immediately), None, TaskPhase::Running), replaced);
    assert_eq!(
        outdated(Some(Rollout::Immediately), Some(Rollout::OnDelete), TaskPhase::Failed),
        waits("WaitsForDeletion")
    );
}

#[test]
fn an_outdated_pod_that_works_waits_for_others_and_says_so() {
    let mut observed = awake();
    observed.replacement = Replacement::Waits { at_most: 2 };
    assert!(matches!(rollout::stage(&observed), Stage::Settled));
    assert_eq!(decide(&observed).status.unwrap().conditions.len(), 1, "it is as it is to be");
    observed.template.as_mut().unwrap().template.image = Some("agent:2".into());
    assert!(matches!(rollout::stage(&observed), Stage::Due(_)));
    let plan = decide(&observed);
    let conditions = plan.status.unwrap().conditions;
    let remark = conditions.iter().find(|condition| condition.type_ == "PodOutdated").unwrap();
    assert_eq!((plan.remove, remark.reason.as_str()), (vec![], "WaitsForOthers"));
    assert!(remark.message.contains("at most 2 of its template"), "{}", remark.message);
    observed.replacement = Replacement::Granted;
    assert_eq!(decide(&observed).remove, [pod_removal()]);
    observed.tasks = vec![task("a", TaskPhase::Running)];
    assert!(matches!(rollout::stage(&observed), Stage::Settled), "who waits for its task keeps nobody waiting");
    observed.tasks.clear();
    change(&mut observed, |agent| agent.spec.suspend = Some(true));
    assert!(matches!(rollout::stage(&observed), Stage::Settled), "nor does who gets no other pod");
}

#[test]
fn a_pod_in_the_place_of_another_says_so_and_is_not_outdated_by_it() {
    let made = |replacement| {
        let mut observed = awake();
        (observed.pod, observed.replacement) = (None, replacement);
        assert!(matches!(rollout::stage(&observed), Stage::Coming));
        let plan = decide(&observed);
        let pod =
            plan.apply.iter().find_map(|child| if let Child::Pod(pod) = child { Some(pod.clone()) } else { None });
        let made = AgentPod::from(pod.unwrap().metadata);
        let is_replacement = made.is_replacement;
        observed.pod = Some(ready(made));
        assert_eq!(decide(&observed).remove, []);
        is_replacement
    };
    assert!(made(Replacement::Granted) && !made(Replacement::Unasked));
}

#[test]
fn an_outdated_pod_that_cannot_work_is_replaced_whatever_is_said() {
    let mut observed = awake();
    let pulling = json!({ "waiting": { "reason": "ImagePullBackOff" } });
    let status = status_of(json!({ "containerStatuses": [{ "state": pulling }] }));
    observed.pod = Some(Arc::new(AgentPod { status, ..pod(&observed) }));
    observed.tasks = vec![task("a", TaskPhase::Running)];
    change(&mut observed, |agent| agent.spec.rollout = Some(Rollout::OnDelete));
    let plan = decide(&observed);
    assert_eq!((plan.remove.len(), standing(&plan).1.as_str()), (0, "ImageNotPulled"));
    observed.template.as_mut().unwrap().template.image = Some("agent:2".into());
    observed.replacement = Replacement::Waits { at_most: 1 };
    assert_eq!(decide(&observed).remove, [pod_removal()]);
    assert!(matches!(rollout::stage(&observed), Stage::Coming), "it asks nobody, and who waits for it does so still");
}
