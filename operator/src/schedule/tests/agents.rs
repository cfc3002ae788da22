use super::*;

fn with_agent(more: &Value) -> World {
    let mut spec = json!({ "schedule": "0 * * * *", "agent": { "systemPrompt": "p" }, "agentRef": null });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut world = World::new(&spec);
    world.agent = None;
    world
}

#[test]
fn an_agent_that_is_not_there_is_waited_for_and_its_run_made_up_for() {
    let mut world = World::new(&json!({ "schedule": "0 * * * *" }));
    world.agent = None;
    world.at("2026-03-02T05:20:00Z");
    assert_eq!((world.made.len(), world.ready()), (0, ready("Unknown", "DependencyNotReady")));
    assert_eq!(world.next(), Some("2026-03-02T05:00:00Z".into()));
    assert!(world.message().starts_with("spec.agentRef: KomputerAgent team/ada does not exist; create it"));
    world.agent = Some(agent("ada", &json!({})));
    world.settle();
    assert_eq!(world.runs(), ["2026-03-02T05:00:00Z"]);
}

#[test]
fn an_agent_is_made_and_changed_with_the_schedule() {
    let mut world = with_agent(&json!({}));
    let Child::Agent(first) = &world.plan().apply[0] else { panic!("no agent") };
    assert_eq!(
        (first.name_any().as_str(), first.resource_version().as_deref()),
        ("s-agent", Some("1")),
        "created only"
    );
    assert_eq!(first.metadata.owner_references.as_ref().unwrap()[0].uid, "u1");
    world.settle();
    assert_eq!((world.ready(), world.status().agent_name.as_deref()), (ready("True", "Scheduled"), Some("s-agent")));
    world.schedule.spec.agent.as_mut().unwrap().system_prompt = Some("other".into());
    let Child::Agent(changed) = &world.plan().apply[0] else { panic!("no change") };
    assert_eq!((changed.uid().as_deref(), changed.resource_version()), (Some("a1"), None), "that agent and no other");
    world.at("2026-03-02T01:00:00Z");
    assert_eq!(world.tasks[&world.last()].spec.agent_ref.name, "s-agent");
}

#[test]
fn a_suspended_schedule_needs_no_agent_until_it_is_triggered() {
    let mut world = with_agent(&json!({ "suspend": true }));
    world.at("2026-03-02T05:20:00Z");
    assert_eq!((world.agent.is_some(), world.ready()), (false, ready("True", "Suspended")));
    world.trigger("1");
    assert_eq!((world.agent.is_some(), world.made.len(), world.ready()), (true, 1, ready("True", "Suspended")));

    let mut world = World::new(&json!({ "schedule": "0 * * * *", "suspend": true }));
    world.agent = None;
    world.at("2026-03-02T05:20:00Z");
    assert_eq!(world.ready(), ready("True", "Suspended"));
    world.trigger("1");
    assert_eq!((world.made.len(), world.ready(), world.next()), (0, ready("Unknown", "DependencyNotReady"), None));
}

#[test]
fn somebody_elses_agent_is_left_alone() {
    let mut world = with_agent(&json!({ "agentRef": { "name": "ada" } }));
    let owner = json!({ "apiVersion": "v1", "kind": "Other", "name": "o", "uid": "o", "controller": true });
    let own_word = json!({ "annotations": { SCHEDULE: "s" }, "ownerReferences": [owner] });
    for more in [json!({}), json!({ "annotations": { SCHEDULE: "other" } }), own_word] {
        world.agent = Some(agent("ada", &more));
        world.at("2026-03-02T05:20:00Z");
        assert_eq!((world.made.len(), world.ready(), world.next()), (0, ready("False", "Conflicted"), None));
        assert_eq!(world.agent, Some(agent("ada", &more)));
        let message = "KomputerAgent team/ada exists and was not made for this schedule; remove spec.agent to use it, or name \
                       another in spec.agentRef.name";
        assert_eq!(world.message(), message);
    }
    world.agent = None;
    world.settle();
    assert_eq!((world.made.len(), world.ready()), (1, ready("True", "Scheduled")));
}

#[test]
fn an_agent_that_is_going_is_waited_for() {
    let predecessor = json!({ "ownerReferences": [{
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSchedule", "name": "s", "uid": "u0", "controller": true,
    }] });
    for more in [predecessor, json!({ "deletionTimestamp": "2026-03-02T00:00:00Z" })] {
        let mut world = with_agent(&json!({}));
        world.agent = Some(agent("s-agent", &more));
        world.settle();
        assert_eq!(world.ready(), ready("Unknown", "DependencyNotReady"));
        world.agent = None;
        world.settle();
        assert_eq!(world.ready(), ready("True", "Scheduled"));
    }
}

#[test]
fn a_completed_schedule_dismisses_its_agent_unless_that_is_retained() {
    for (policy, stays) in [("Delete", false), ("Retain", true)] {
        let mut world = with_agent(&json!({ "completions": 1, "agentDeletionPolicy": policy }));
        world.at("2026-03-02T01:00:00Z");
        let owned = world.agent.as_ref().unwrap().metadata.owner_references.is_some();
        assert_eq!(owned, !stays);
        let last = world.last();
        world.ends(&last, TaskPhase::Succeeded, "0.1").at("2026-03-02T09:00:00Z");
        assert_eq!((world.agent.is_some(), world.ready()), (stays, ready("True", "Completed")));
        assert_eq!(world.tasks.len(), 1, "what came of it stays");
    }
    // An agent that was there before stays, whatever the policy.
    let mut world = World::new(&json!({ "at": "2026-03-02T01:00:00Z" }));
    world.at("2026-03-02T01:00:00Z");
    let last = world.last();
    world.ends(&last, TaskPhase::Succeeded, "0.1");
    assert!(world.agent.is_some());
}

#[test]
fn an_agent_that_is_not_named_any_more_goes_once_it_has_done_its_run() {
    let mut world = with_agent(&json!({ "concurrencyPolicy": "Allow" }));
    world.at("2026-03-02T01:00:00Z");
    let first = world.last();
    world.ends(&first, TaskPhase::Running, "0.1");
    world.former = world.agent.take();
    world.spec("agentRef", &json!({ "name": "bob" })).at("2026-03-02T02:00:00Z");
    assert_eq!((world.agent.as_ref().map(ResourceExt::name_any), world.former.is_some()), (Some("bob".into()), true));
    assert_eq!(world.status().agent_name.as_deref(), Some("s-agent"));
    world.ends(&first, TaskPhase::Succeeded, "0.1");
    assert_eq!((world.status().agent_name.as_deref(), world.former.is_some()), (Some("bob"), false));
    // One that was there before stays.
    world.former = Some(agent("carl", &json!({})));
    world.settle();
    assert!(world.former.is_some());
}

#[test]
fn an_agent_that_was_retained_is_taken_up_again_by_a_schedule_of_the_name() {
    let mut world = with_agent(&json!({}));
    world.agent = Some(agent("s-agent", &json!({ "annotations": { SCHEDULE: "s" } })));
    world.settle();
    assert_eq!(world.agent.as_ref().unwrap().metadata.owner_references.as_ref().unwrap()[0].uid, "u1");
}

#[test]
fn an_agent_that_is_stalled_is_told_of() {
    let mut world = World::new(&json!({ "schedule": "0 * * * *" }));
    let stalled = json!({ "conditions": [{
        "type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "spec.model is odd", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] });
    world.agent.as_mut().unwrap().status = serde_json::from_value(stalled).unwrap();
    world.settle();
    assert_eq!(world.ready(), ready("False", "AgentNotReady"));
    assert_eq!(world.message(), "KomputerAgent team/ada is stalled: spec.model is odd");
}

#[test]
fn a_name_that_no_agent_can_have_is_told_of() {
    let mut world = with_agent(&json!({}));
    world.schedule.metadata.name = Some("s".repeat(49));
    world.settle();
    assert_eq!(world.ready(), ready("False", "InvalidSpec"));
    assert!(world.message().starts_with("spec.agentRef.name: Invalid value"), "{}", world.message());
}

/// From before the rule about names.
#[test]
fn a_name_that_no_task_can_be_called_after_is_told_of() {
    let mut world = World::new(&json!({ "schedule": "0 * * * *" }));
    world.schedule.metadata.name = Some("s".repeat(53));
    world.at("2026-03-03T00:00:00Z");
    assert_eq!((world.runs().len(), world.ready()), (0, ready("False", "InvalidSpec")));
    assert!(world.message().starts_with("metadata.name: Invalid value: \"sss"), "{}", world.message());
}
