//! The shared pod: what is in it, and when it comes and goes.
use k8s_openapi::{
    api::core::v1::{Container, Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::*;
use crate::budget::Shortage;

fn pod(observed: &Observed) -> Pod {
    let mut pods = decide(observed).apply.into_iter().filter_map(|child| match child {
        Child::Pod(pod) => Some(*pod),
        _ => None,
    });
    pods.next().expect("a pod")
}

fn container<'a>(pod: &'a Pod, name: &str) -> &'a Container {
    pod.spec.as_ref().unwrap().containers.iter().find(|container| container.name == name).expect(name)
}

/// Path, volume and whether it is read-only of each mount below `/agents`.
fn mounts(container: &Container) -> Vec<(String, String, bool)> {
    let mounts = container.volume_mounts.iter().flatten().filter(|mount| mount.mount_path.starts_with("/agents"));
    mounts.map(|mount| (mount.mount_path.clone(), mount.name.clone(), mount.read_only == Some(true))).collect()
}

#[test]
fn members_get_a_container_each_and_the_others_workspaces() {
    let mut observed = crew(vec![member("ada"), member("b.ob")]);
    observed.members[1].spec.access = Some(WorkspaceAccess::ReadOnly);
    let pod = pod(&observed);
    let ada = container(&pod, "ada");
    let expected = [
        ("/agents/b.ob/workspace", "workspace-8001", false),
        ("/agents/b.ob/workspace/.komputer", "nothing", true),
        ("/agents/b.ob/workspace/.claude", "nothing", true),
    ];
    assert_eq!(mounts(ada), expected.map(|(path, name, read_only)| (path.into(), name.into(), read_only)));
    let bob = container(&pod, "b-ob-8001");
    assert_eq!(mounts(bob)[0], ("/agents/ada/workspace".into(), "workspace-8000".into(), true));
    let volumes = pod.spec.as_ref().unwrap().volumes.as_ref().unwrap().iter();
    let claims: Vec<_> =
        volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str())).collect();
    assert_eq!(claims, ["ada", "b.ob"]);
    let AgentPod { seats, .. } = pod.metadata.clone().into();
    assert_eq!((seats["ada"].port, seats["b.ob"].port, seats["b.ob"].container.as_str()), (8000, 8001, "b-ob-8001"));
    for (container, port) in [(ada, 8000), (bob, 8001)] {
        let listen = container.env.iter().flatten().find(|variable| variable.name == "KOMPUTER_LISTEN");
        assert_eq!(listen.unwrap().value, Some(format!("0.0.0.0:{port}")));
        let probe = serde_json::to_value(container.readiness_probe.as_ref().unwrap()).unwrap();
        assert_eq!(probe["httpGet"]["port"], port);
    }
    assert_eq!(pod.labels()["app.kubernetes.io/name"], "komputer-agent", "policies select agents' pods by it");
}

#[test]
fn a_members_secrets_are_in_its_container_alone() {
    let pod = pod(&crew(vec![member("ada"), member("bob")]));
    for (own, other) in [("ada", "bob"), ("bob", "ada")] {
        let container = serde_json::to_string(container(&pod, own)).unwrap();
        assert!(container.contains(&format!("komputer-agent-{own}")));
        assert!(!container.contains(&format!("komputer-agent-{other}")), "{container}");
    }
    let spec = pod.spec.unwrap();
    assert_ne!(spec.share_process_namespace, Some(true));
    assert!(spec.volumes.unwrap().iter().all(|volume| volume.secret.is_none() && volume.projected.is_none()));
    assert!(spec.init_containers.unwrap().iter().all(|container| container.env.is_none()));
}

#[test]
fn what_members_need_is_made_before_the_pod() {
    let plan = decide(&crew(vec![member("ada"), member("bob")]));
    let kinds: Vec<_> = plan.apply.iter().map(|child| format!("{child:?}")).collect();
    let kinds: Vec<_> = kinds.iter().map(|child| child.split('(').next().unwrap()).collect();
    let expected = ["ServiceAccount", "NetworkPolicy", "NetworkPolicy", "Volume", "Secret", "Volume", "Secret", "Pod"];
    assert_eq!(kinds, expected);
}

#[test]
fn deciding_twice_about_a_settled_squad_changes_nothing() {
    let observed = carried_out(carried_out(crew(vec![member("ada"), member("bob")])));
    assert_eq!(decide(&observed), Plan::nothing());
    assert_eq!(observed.squad.status.as_ref().unwrap().phase, Some(SquadPhase::Running));
    let members = &observed.squad.status.as_ref().unwrap().members;
    assert!(members.iter().all(|member| member.ready) && members.len() == 2);
}

#[test]
fn one_that_has_to_be_awake_wakes_all_and_none_lets_all_sleep() {
    let mut observed = crew(vec![member("ada"), member("bob")]);
    observed.members.iter_mut().for_each(|member| sleeps(member.agent.as_mut().unwrap()));
    stands(&observed, "Sleeping", "", SquadPhase::Sleeping);
    assert!(decide(&observed).apply.is_empty());

    with_task(of(&mut observed, "bob"), TaskPhase::Pending);
    let mut observed = carried_out(observed);
    assert_eq!(seated(&observed), ["ada", "bob"]);

    works(&mut observed, "bob", false);
    assert_eq!(decide(&observed).remove, [its_pod()]);
}

#[test]
fn one_whose_task_a_budget_keeps_from_going_on_wakes_nobody() {
    let mut observed = crew(vec![member("ada"), member("bob")]);
    observed.members.iter_mut().for_each(|member| sleeps(member.agent.as_mut().unwrap()));
    with_task(of(&mut observed, "bob"), TaskPhase::Pending);
    of(&mut observed, "bob").funds.shortage = Some(Shortage { budget: "team".into(), until: None });
    stands(&observed, "Sleeping", "", SquadPhase::Sleeping);
    assert!(decide(&observed).apply.is_empty());

    of(&mut observed, "bob").funds.shortage = None;
    let mut observed = carried_out(observed);
    assert_eq!(seated(&observed), ["ada", "bob"]);
    of(&mut observed, "bob").funds.shortage = Some(Shortage { budget: "team".into(), until: None });
    assert_eq!(decide(&observed).remove, [], "who is awake stays so, and goes on when there is more");
}

#[test]
fn the_longest_idle_timeout_keeps_all_awake() {
    let mut observed = crew(vec![member("ada"), member("bob")]);
    for (name, timeout) in [("ada", "1m"), ("bob", "10m")] {
        let lifecycle = json!({ "idleTimeout": timeout });
        change(of(&mut observed, name), |agent| agent.spec.lifecycle = serde_json::from_value(lifecycle).unwrap());
        change(of(&mut observed, name), |agent| {
            agent.metadata.creation_timestamp = serde_json::from_value(json!("1970-01-01T00:00:00Z")).unwrap();
        });
    }
    let mut observed = carried_out(carried_out(observed));
    assert_eq!(decide(&observed).again, Some(Duration::from_mins(10)));
    observed.now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(11);
    observed.members.iter_mut().for_each(|member| member.agent.as_mut().unwrap().now = observed.now);
    assert_eq!(decide(&observed).remove.len(), 1);
}

#[test]
fn who_joins_waits_until_nobody_works_and_nobody_begins_meanwhile() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada")])));
    works(&mut observed, "ada", true);
    observed.members.push(member("bob"));
    let message = stands(&observed, "Replacing", "Reconciling", SquadPhase::Replacing);
    assert!(message.contains("until ada has ended"), "{message}");
    let mut observed = carried_out(observed);
    assert_eq!(seated(&observed), ["ada"]);

    works(&mut observed, "ada", false);
    assert_eq!(decide(&observed).remove, [its_pod()]);
    let observed = carried_out(carried_out(observed));
    assert_eq!(seated(&observed), ["ada", "bob"]);
}

#[test]
fn a_pod_that_has_never_begun_is_replaced_whoever_has_work() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada")])));
    works(&mut observed, "ada", true);
    observed.members.push(member("bob"));
    let mut observed = carried_out(observed);
    assert_eq!(decide(&observed).remove, []);
    let mut pod = (**observed.pod.as_ref().unwrap()).clone();
    pod.status = crate::agent::AgentPod::default().status; // like one whose volume goes
    observed.pod = Some(Arc::new(pod));
    assert_eq!(decide(&observed).remove, [its_pod()]);
}

#[test]
fn that_the_pod_goes_is_said_before() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada")])));
    observed.members.push(member("bob"));
    let plan = decide(&observed);
    assert_eq!((standing(&plan).2, plan.remove.len()), (SquadPhase::Replacing, 0));
    assert_eq!(decide(&carried_out(observed)).remove.len(), 1);
}

#[test]
fn who_leaves_is_let_end_its_task() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada"), member("bob")])));
    works(&mut observed, "bob", true);
    let bob = observed.members.pop().unwrap();
    observed.leaving = bob.agent.into_iter().collect();
    let mut observed = carried_out(observed);
    assert!(decide(&observed).remove.is_empty());
    observed.leaving[0].tasks.clear();
    assert_eq!(decide(&observed).remove.len(), 1);
    observed = carried_out(observed);
    observed.leaving.clear();
    assert_eq!(seated(&carried_out(observed)), ["ada"]);
}

#[test]
fn who_is_suspended_is_not_waited_for_and_the_others_are() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada"), member("bob")])));
    works(&mut observed, "bob", true);
    change(of(&mut observed, "bob"), |agent| agent.spec.suspend = Some(true));
    works(&mut observed, "ada", true);
    let mut observed = carried_out(observed);
    assert!(decide(&observed).remove.is_empty());
    works(&mut observed, "ada", false);
    assert_eq!(decide(&observed).remove.len(), 1);
    assert_eq!(seated(&carried_out(carried_out(observed))), ["ada"]);
}

#[test]
fn a_pod_in_which_another_of_that_name_sits_is_not_waited_for() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada"), member("bob")])));
    change(of(&mut observed, "bob"), |agent| agent.spec.suspend = Some(true));
    works(&mut observed, "ada", true);
    let mut observed = carried_out(observed);
    assert!(decide(&observed).remove.is_empty());
    change(of(&mut observed, "ada"), |agent| agent.metadata.uid = Some("another".into()));
    assert_eq!(decide(&observed).remove.len(), 1);
}

#[test]
fn nobody_sits_here_who_has_a_pod_elsewhere() {
    let mut observed = crew(vec![member("ada"), member("bob"), member("cyd")]);
    has_own_pod(of(&mut observed, "ada"), None);
    works(&mut observed, "ada", true);
    of(&mut observed, "bob").squad.as_mut().unwrap().stays = false; // it sits in the pod of a squad of before
    assert_eq!(seated(&carried_out(observed)), ["cyd"]);
}

/// It has a pod of its own, which was to be gone by that time.
fn has_own_pod(agent: &mut agent::Observed, deleted: Option<Timestamp>) {
    let mut pod = AgentPod::default();
    pod.metadata.owner_references = agent.agent.controller_owner_ref(&()).map(|owner| vec![owner]);
    pod.metadata.deletion_timestamp = deleted.map(Time);
    agent.pod = Some(Arc::new(pod));
}

#[test]
fn who_gives_its_own_pod_up_is_waited_for_unless_its_node_keeps_that() {
    let mut observed = crew(vec![member("ada"), member("bob")]);
    has_own_pod(of(&mut observed, "bob"), None);
    let plan = decide(&observed);
    assert!(plan.apply.is_empty());
    let message = stands(&observed, "Starting", "Reconciling", SquadPhase::Pending);
    assert_eq!(message, "KomputerAgent bob gives its own pod up first");

    let deleted = observed.now;
    has_own_pod(of(&mut observed, "bob"), Some(deleted));
    let plan = decide(&observed);
    assert_eq!((plan.apply.len(), plan.again), (0, Some(Duration::from_mins(1))));
    for _ in 0..2 {
        observed.now += SignedDuration::from_mins(1);
        assert_eq!(decide(&observed).again, Some(Duration::from_secs(2)), "as after any pod that begins");
        assert_eq!(seated(&carried_out(observed.clone())), ["ada"]);
    }

    of(&mut observed, "bob").pod = None;
    assert_eq!(seated(&carried_out(observed)), ["ada", "bob"]);
}

#[test]
fn who_cannot_run_keeps_nobody_from_it() {
    let mut observed = crew(vec![member("ada"), member("bob"), member("cyd")]);
    of(&mut observed, "ada").template = None;
    change(of(&mut observed, "bob"), |agent| agent.spec.model = Some(String::new()));
    assert_eq!(seated(&carried_out(observed)), ["cyd"]);
}

#[test]
fn a_container_that_crashes_leaves_the_pod_as_it_is() {
    let mut observed = carried_out(carried_out(crew(vec![member("ada"), member("bob")])));
    let mut pod = (**observed.pod.as_ref().unwrap()).clone();
    let crashed =
        json!({ "name": "bob", "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "again" } } });
    pod.status.container_statuses[1] = serde_json::from_value(crashed).unwrap();
    observed.pod = Some(Arc::new(pod));
    let plan = decide(&observed);
    assert!(plan.remove.is_empty() && plan.apply.is_empty());
    let status = plan.status.unwrap();
    assert_eq!(status.members.iter().map(|member| member.ready).collect::<Vec<_>>(), [true, false]);
    assert_eq!(status.conditions[0].reason, "AgentNotReady");
    let message = &status.conditions[0].message;
    assert!(message.contains("bob") && message.contains("CrashLoopBackOff"), "{message}");

    // A change may be its remedy, and waits for the others alone.
    works(&mut observed, "bob", true);
    observed.members.push(member("cyd"));
    squad(&mut observed, |squad| {
        squad.status.as_mut().unwrap().phase = Some(SquadPhase::Replacing);
    });
    assert_eq!(decide(&observed).remove, [its_pod()]);
}

#[test]
fn a_pod_begins_with_the_first_that_is_given_a_place() {
    let mut observed = crew(vec![member("ada"), member("bob")]);
    let limit = std::num::NonZeroU32::MIN;
    let waits = Place::Waits { position: 1, limit: agent::Limit::Installation(limit) };
    of(&mut observed, "ada").place = waits;
    of(&mut observed, "bob").place = waits;
    stands(&observed, "Queued", "Reconciling", SquadPhase::Pending);
    assert!(decide(&observed).apply.is_empty());
    of(&mut observed, "bob").place = Place::Given;
    assert_eq!(seated(&carried_out(observed)), ["ada", "bob"]);
}

#[test]
fn who_does_not_fit_into_the_first_members_pod_is_told_what_differs() {
    let mut observed = crew(vec![member("ada"), member("bob"), member("cyd")]);
    let template = json!({ "spec": { "nodeSelector": { "disk": "ssd" } } });
    change(of(&mut observed, "bob"), |agent| agent.spec.pod_template = serde_json::from_value(template).unwrap());
    let message = stands(&observed, "Conflicted", "Stalled", SquadPhase::Failed);
    assert!(message.starts_with("spec.members[1]: the pod template of bob has another nodeSelector"), "{message}");
    assert_eq!(seated(&carried_out(observed)), ["ada", "cyd"]);
}

#[test]
fn what_people_add_to_members_pods_is_kept_apart() {
    let mut observed = crew(vec![member("ada"), member("bob")]);
    for name in ["ada", "bob"] {
        let template = json!({ "spec": {
            "containers": [
                { "name": "agent", "volumeMounts": [{ "name": "data", "mountPath": "/data" }] },
                { "name": "proxy", "image": "proxy:1" },
            ],
            "volumes": [{ "name": "data", "emptyDir": {} }],
        } });
        change(of(&mut observed, name), |agent| agent.spec.pod_template = serde_json::from_value(template).unwrap());
    }
    let pod = pod(&observed);
    let names: Vec<_> = pod.spec.as_ref().unwrap().containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!(names, ["ada", "proxy-8000", "bob", "proxy-8001"]);
    let data = container(&pod, "bob").volume_mounts.iter().flatten().find(|mount| mount.mount_path == "/data");
    assert_eq!(data.unwrap().name, "data-8001");
}
