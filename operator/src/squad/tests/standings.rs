//! Members that are made, missing or another squad's; squads that end.
use super::*;

fn made(observed: &Observed, name: &str) -> Arc<KomputerAgent> {
    let mut found = (*agent(name).agent).clone();
    found.metadata.owner_references = observed.squad.controller_owner_ref(&()).map(|owner| vec![owner]);
    Arc::new(found)
}

fn agents(plan: &Plan<KomputerSquadStatus>) -> Vec<&KomputerAgent> {
    let agents = plan.apply.iter().filter_map(|child| match child {
        Child::Agent(agent) => Some(&**agent),
        _ => None,
    });
    agents.collect()
}

fn templated(model: &str) -> Member {
    let mut member = Member { agent: None, ..member("bob") };
    member.spec.template = serde_json::from_value(json!({ "model": model })).unwrap();
    member
}

#[test]
fn a_member_with_a_template_is_made_and_changed_and_dismissed() {
    let mut observed = crew(vec![templated("one")]);
    let plan = decide(&observed);
    let bob = agents(&plan)[0].clone();
    assert_eq!((bob.name_any().as_str(), bob.spec.model.as_deref()), ("bob", Some("one")));
    assert_eq!(bob.owner_references()[0].uid, "s1");

    observed.members[0].agent = Some(agent("bob"));
    of(&mut observed, "bob").agent = Arc::new(bob);
    change(of(&mut observed, "bob"), |agent| agent.metadata.uid = Some("bob-uid".into()));
    assert!(agents(&decide(&observed)).is_empty());
    observed.members[0].spec.template = templated("two").spec.template;
    let plan = decide(&observed);
    let changed = agents(&plan)[0];
    assert_eq!((changed.spec.model.as_deref(), changed.uid().as_deref()), (Some("two"), Some("bob-uid")));

    let former = made(&observed, "bob");
    let mut observed = crew(vec![member("ada")]);
    observed.former = vec![former];
    let removals = decide(&observed).remove;
    assert!(matches!(&removals[..], [Removal::Agent(exactly)] if exactly.uid == "bob-uid"), "{removals:?}");
}

#[test]
fn an_agent_of_a_squad_of_before_is_let_go_first() {
    let mut observed = crew(vec![templated("one")]);
    let mut before = observed.clone();
    squad(&mut before, |squad| squad.metadata.uid = Some("s0".into()));
    observed.members[0].agent = Some(agent("bob"));
    of(&mut observed, "bob").agent = made(&before, "bob");
    let plan = decide(&observed);
    assert_eq!((plan.apply.len(), plan.remove.len(), standing(&plan).0.as_str()), (0, 0, "Sleeping"));
}

#[test]
fn somebody_elses_agent_is_neither_changed_nor_seated() {
    let mut observed = crew(vec![member("ada"), templated("one")]);
    observed.members[1].agent = Some(agent("bob"));
    let message = stands(&observed, "Conflicted", "Stalled", SquadPhase::Failed);
    assert!(message.contains("KomputerAgent bob exists and the squad did not make it"), "{message}");
    assert!(agents(&decide(&observed)).is_empty());
    assert_eq!(seated(&carried_out(observed)), ["ada"]);
}

#[test]
fn a_member_of_an_older_squad_is_left_to_it_and_the_others_work() {
    let mut observed = crew(vec![member("ada"), member("bob")]);
    observed.members[0].keeper = Some("elders".into());
    let message = stands(&observed, "Conflicted", "Stalled", SquadPhase::Failed);
    assert_eq!(message, "spec.members: KomputerSquad elders is older and has ada; remove it from one of them");
    assert_eq!(seated(&carried_out(observed)), ["bob"]);
}

#[test]
fn a_missing_member_is_named_and_the_others_work() {
    let mut observed = crew(vec![member("ada"), Member { agent: None, ..member("bob") }]);
    observed = carried_out(carried_out(observed));
    let message = stands(&observed, "DependencyNotReady", "Reconciling", SquadPhase::Running);
    assert!(message.contains("KomputerAgent bob does not exist"), "{message}");
    assert_eq!(seated(&observed), ["ada"]);
}

#[test]
fn a_squad_of_nobody_goes_after_its_time() {
    let mut observed = crew(vec![Member { agent: None, ..member("ada") }]);
    squad(&mut observed, |squad| squad.spec.orphan_ttl = Some("1m".into()));
    stands(&observed, "DependencyNotReady", "Reconciling", SquadPhase::Orphaned);
    let plan = decide(&observed);
    assert_eq!((plan.remove.len(), plan.again), (0, Some(Duration::from_mins(1))));
    let mut observed = carried_out(observed);
    observed.now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(59);
    assert!(decide(&observed).remove.is_empty());
    observed.now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(60);
    let removals = decide(&observed).remove;
    assert!(matches!(&removals[..], [Removal::Squad(exactly)] if exactly.uid == "s1"), "{removals:?}");

    observed.members[0].agent = Some(agent("ada"));
    let plan = decide(&observed);
    assert!(plan.remove.is_empty());
    assert_eq!(plan.status.unwrap().orphaned_since, None);
}

#[test]
fn a_squad_that_makes_its_members_is_never_without() {
    let observed = crew(vec![templated("one")]);
    assert_eq!(decide(&observed).status.unwrap().orphaned_since, None);
}

#[test]
fn a_squad_is_broken_up_once_nobody_works() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada"), member("bob")])));
    works(&mut observed, "ada", true);
    squad(&mut observed, |squad| squad.spec.break_up = Some(true));
    let mut observed = carried_out(observed);
    assert_eq!(seated(&observed), ["ada", "bob"]);
    works(&mut observed, "ada", false);
    let observed = carried_out(observed);
    stands(&observed, "BrokenUp", "", SquadPhase::BrokenUp);
    assert!(decide(&observed).apply.is_empty());
}

#[test]
fn a_squad_that_goes_takes_nothing_from_its_agents() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada")])));
    squad(&mut observed, |squad| {
        squad.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    });
    let plan = decide(&observed);
    assert_eq!((plan.remove.len(), plan.apply.len(), standing(&plan).0.as_str()), (0, 0, "Deleting"));
}

#[test]
fn nothing_is_made_of_what_admission_would_have_refused() {
    let mut observed = crew(vec![member("ada")]);
    squad(&mut observed, |squad| squad.spec.orphan_ttl = Some("soon".into()));
    stands(&observed, "InvalidSpec", "Stalled", SquadPhase::Failed);
    assert!(decide(&observed).apply.is_empty());
}

#[test]
fn a_foreign_pod_of_its_name_is_left_alone() {
    let mut observed = crew(vec![member("ada")]);
    let metadata = json!({ "name": "crew-squad", "namespace": "team" });
    observed.pod = Some(Arc::new(serde_json::from_value(json!({ "metadata": metadata })).unwrap()));
    stands(&observed, "DependencyNotReady", "Reconciling", SquadPhase::Pending);
    let plan = decide(&observed);
    assert!(plan.remove.is_empty() && plan.apply.is_empty());
}

#[test]
fn a_stalled_member_is_told_of() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada")])));
    let stalled: Value = json!({ "conditions": [{
        "type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "spec.model is odd",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] });
    change(of(&mut observed, "ada"), |agent| agent.status = serde_json::from_value(stalled).unwrap());
    stands(&observed, "AgentNotReady", "Reconciling", SquadPhase::Running);
}
