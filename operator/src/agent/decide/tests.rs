//! Each situation by its value.
mod connectors;
mod outdated;
mod seated;
mod spending;
mod steering;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::Time};
use komputer_crds::{
    DEFAULT_MODEL,
    v1beta1::{
        AfterTask, AgentRef, KomputerAgent, KomputerAgentSpec, KomputerTask, KomputerTaskSpec, KomputerTaskStatus,
        Lifecycle, NamespacedSecretKeyRef, PodTemplate, Rollout, StatusConditions, Storage, TaskCounts, TaskMode,
        TaskPhase,
    },
};
use kube::Resource;

use super::*;
use crate::{
    agent::{AgentPod, AgentVolume, Lesson, Limit, Place, Source, agent_pod::AgentPodStatus, build},
    budget::Funds,
    keys::{Audience, Sensitive},
};

fn world() -> Observed {
    let mut agent = KomputerAgent::new("ada", KomputerAgentSpec::default());
    agent.metadata.namespace = Some("team".into());
    agent.metadata.uid = Some("u1".into());
    agent.metadata.generation = Some(3);
    Observed::of(agent)
}

fn change(observed: &mut Observed, change: impl FnOnce(&mut KomputerAgent)) {
    change(Arc::make_mut(&mut observed.agent));
}

fn volume(observed: &Observed) -> Arc<AgentVolume> {
    let mut volume = AgentVolume::default();
    volume.metadata.name = Some("ada".into());
    volume.metadata.uid = Some("v1".into());
    volume.metadata.owner_references = observed.agent.controller_owner_ref(&()).map(|owner| vec![owner]);
    Arc::new(volume)
}

/// The pod as it was created, without what the kubelet says.
fn pod(observed: &Observed) -> AgentPod {
    let resolved = observed.template.as_ref().unwrap();
    let mut metadata = build::pod(&observed.agent, resolved, &observed.settings, &observed.master).metadata;
    metadata.uid = Some("p1".into());
    metadata.into()
}

fn pod_removal() -> Removal {
    Removal::Pod(Exactly { name: "ada".into(), uid: "p1".into() })
}

fn volume_removal() -> Removal {
    Removal::Volume(Exactly { name: "ada".into(), uid: "v1".into() })
}

fn ready(mut pod: AgentPod) -> Arc<AgentPod> {
    let status = json!({ "podIP": "10.0.0.9", "conditions": [{ "type": "Ready", "status": "True" }] });
    pod.status = serde_json::from_value(status).unwrap();
    Arc::new(pod)
}

fn task(name: &str, phase: TaskPhase) -> (Arc<KomputerTask>, TaskPhase) {
    let spec = KomputerTaskSpec {
        agent_ref: AgentRef { name: "ada".into() },
        instructions: format!("do {name}"),
        max_cost_usd: Some("0.5".into()),
        ..Default::default()
    };
    let mut task = KomputerTask::new(name, spec);
    task.metadata.uid = Some(format!("{name}-uid"));
    task.status = Some(KomputerTaskStatus { phase: Some(phase), ..Default::default() });
    (Arc::new(task), phase)
}

fn awake() -> Observed {
    let mut observed = world();
    observed.volume = Some(volume(&observed));
    observed.pod = Some(ready(pod(&observed)));
    observed
}

fn standing(plan: &Plan<KomputerAgentStatus>) -> (String, String, String) {
    let condition = &plan.status.as_ref().unwrap().conditions()[0];
    (condition.status.clone(), condition.reason.clone(), condition.message.clone())
}

fn kinds(plan: &Plan<KomputerAgentStatus>) -> Vec<&'static str> {
    plan.apply
        .iter()
        .map(|child| match child {
            Child::ServiceAccount(_) => "ServiceAccount",
            Child::NetworkPolicy(_) => "NetworkPolicy",
            Child::Volume(_) | Child::VolumeSize(..) => "Volume",
            Child::Secret(_) => "Secret",
            Child::Pod(_) => "Pod",
            Child::Task(_) => "Task",
            Child::Office(_) => "Office",
            Child::Cancellation(_) | Child::Agent(_) | Child::Schedule(_) => "another's",
        })
        .collect()
}

#[test]
fn a_manager_that_asks_gets_an_office_where_nobody_has_opened_one() {
    let mut observed = world();
    observed.lacks_office = true;
    let plan = decide(&observed);
    let office = plan.apply.iter().find_map(|child| match child {
        Child::Office(office) => Some(office),
        _ => None,
    });
    let office = office.unwrap();
    assert_eq!((office.name_any().as_str(), office.spec.manager_ref.name.as_str()), ("ada-office", "ada"));
    assert_eq!(office.owner_references()[0].uid, "u1", "it goes with the manager");
}

#[test]
fn a_new_agent_gets_what_it_needs_and_the_pod_last() {
    let mut observed = world();
    observed.namespace_is_prepared = false;
    change(&mut observed, |agent| agent.spec.instructions = Some("say hello".into()));
    let plan = decide(&observed);
    let expected = ["Task", "ServiceAccount", "NetworkPolicy", "NetworkPolicy", "Volume", "Secret", "Pod"];
    assert_eq!(kinds(&plan), expected);
    assert_eq!(standing(&plan).1, "Starting");
    let effective = plan.status.and_then(|status| status.effective);
    assert_eq!(effective.map(|effective| effective.image.clone()), Some(observed.settings.agent_image.clone()));
}

#[test]
fn deciding_twice_about_a_settled_agent_changes_nothing() {
    let mut observed = awake();
    let first = decide(&observed);
    assert_eq!((kinds(&first), &first.remove, &first.calls), (vec![], &vec![], &vec![]));
    change(&mut observed, |agent| agent.status = first.status);
    observed.now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1);
    let second = decide(&observed);
    assert_eq!(second, Plan::nothing());
}

#[test]
fn who_waits_for_a_place_makes_nothing_and_says_at_which_position() {
    let mut observed = world();
    let limit = Limit::Template(std::num::NonZeroU32::MIN);
    observed.place = Place::Waits { position: 4, limit };
    let plan = decide(&observed);
    let status = plan.status.clone().unwrap();
    assert_eq!((kinds(&plan), status.queue_position, status.pod_name), (vec![], Some(4), None));
    let expected = "1 of the agents that template default makes in namespace team may be awake at a time, and are; this one \
                    starts in its turn; raise spec.maxConcurrentAgents of the template, or let another sleep";
    assert_eq!(standing(&plan), ("Unknown".into(), "Queued".into(), expected.into()));

    // Coming nearer is told no more often than other progress.
    change(&mut observed, |agent| agent.status = plan.status);
    observed.written = Some(observed.now);
    observed.place = Place::Waits { position: 3, limit };
    let plan = decide(&observed);
    assert_eq!((plan.status, plan.again), (None, Some(crate::status::PROGRESS)));
    observed.place = Place::Given;
    assert_eq!(standing(&decide(&observed)).1, "Starting");
}

#[test]
fn only_who_needs_a_pod_and_may_have_one_asks_for_a_place() {
    let asks = |change: &dyn Fn(&mut Observed)| {
        let mut observed = world();
        change(&mut observed);
        wanted(&observed).is_some()
    };
    assert!(asks(&|_| {}));
    assert!(!asks(&|observed| observed.template = None));
    assert!(!asks(&|observed| observed.namespace_is_going = true));
    assert!(!asks(&|observed| change(observed, |agent| agent.spec.suspend = Some(true))));
    let sleeps = || Some(Lifecycle { after_task: Some(AfterTask::Sleep), ..Lifecycle::default() });
    assert!(!asks(&|observed| change(observed, |agent| agent.spec.lifecycle = sleeps())));
}

#[test]
fn what_is_missing_is_named() {
    let mut observed = world();
    change(&mut observed, |agent| {
        agent.spec.template_ref = Some(komputer_crds::v1beta1::TemplateRef { name: "big".into() });
    });
    let template = observed.template.take();
    let expected = "There is no KomputerAgentTemplate big in namespace team and no KomputerAgentClusterTemplate big; \
                    create one or change spec.templateRef.name";
    assert_eq!(standing(&decide(&observed)), ("Unknown".into(), "DependencyNotReady".into(), expected.into()));

    let secret = NamespacedSecretKeyRef { name: "claude".into(), key: "key".into(), namespace: None };
    observed.template = template;
    observed.template.as_mut().unwrap().key = ModelKey::Missing(secret);
    let plan = decide(&observed);
    assert_eq!(kinds(&plan), Vec::<&str>::new());
    assert!(standing(&plan).2.starts_with("Secret komputer-system/claude: key key is missing; create it"));

    let elsewhere =
        NamespacedSecretKeyRef { name: "claude".into(), key: "key".into(), namespace: Some("other".into()) };
    observed.template.as_mut().unwrap().key = ModelKey::NotGranted(elsewhere);
    let plan = decide(&observed);
    assert_eq!((kinds(&plan), standing(&plan).1.as_str()), (vec![], "ReferenceNotGranted"));
    assert!(standing(&plan).2.starts_with("Secret other/claude of another namespace is not granted"));

    let mut observed = awake();
    let mut lacking = AgentPod::clone(observed.pod.as_ref().unwrap());
    let waiting = json!({ "reason": "CreateContainerConfigError", "message": "secret \"github\" not found" });
    let status = json!({ "containerStatuses": [{ "name": "agent", "state": { "waiting": waiting } }] });
    lacking.status = serde_json::from_value(status).unwrap();
    observed.pod = Some(Arc::new(lacking));
    let plan = decide(&observed);
    assert_eq!(kinds(&plan), ["Secret"], "our own Secret is the one we can bring back");
    assert!(standing(&plan).2.contains("secret \"github\" not found"));
}

#[test]
fn an_agent_is_taught_before_its_task_and_waits_for_what_is_missing() {
    let mut observed = awake();
    let source = |generation| Source {
        lesson: Lesson::Skill,
        namespace: "team".into(),
        name: "review".into(),
        uid: "s1".into(),
        generation,
    };
    observed.knowledge = Knowledge::Complete(vec![source(1)]);
    assert_eq!(decide(&observed).calls, [], "there is nothing to use it for");
    observed.tasks = vec![task("a", TaskPhase::Pending)];
    let taught = |observed: &Observed| match &decide(observed).calls[..] {
        [Call::Allow { .. }, Call::Teach { sources, .. }, Call::PutTask { .. }] => sources.clone(),
        calls => panic!("{calls:?}"),
    };
    assert_eq!(taught(&observed), [source(1)]);
    observed.knowledge = Knowledge::Complete(vec![source(2)]);
    assert_eq!(taught(&observed), [source(2)]);

    observed.knowledge = Knowledge::Lacks("spec.skills[0]: there is no KomputerSkill review".into());
    let plan = decide(&observed);
    assert_eq!(
        (standing(&plan).1.as_str(), &plan.calls[..], &plan.remove[..]),
        ("DependencyNotReady", &[][..], &[][..])
    );
    observed.knowledge = Knowledge::NotShared("spec.skills[0]: KomputerSkill other/review is not shared".into());
    assert_eq!(standing(&decide(&observed)).1, "ReferenceNotGranted");
}

#[test]
fn an_agent_above_itself_is_stalled_and_one_below_a_circle_is_not() {
    let above = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let mut observed = Observed { managers: above(&["bob", "eve", "ada"]), ..world() };
    let plan = decide(&observed);
    assert_eq!((kinds(&plan), standing(&plan).1.as_str()), (vec![], "ReferenceCycle"));
    assert!(
        standing(&plan)
            .2
            .starts_with("spec.managerRef: Forbidden: ada → bob → eve → ada is a circle; name another manager")
    );
    observed.managers = above(&["bob", "eve", "bob"]);
    assert_eq!(standing(&decide(&observed)).1, "Starting");
}

#[test]
fn nothing_is_made_from_what_admission_would_have_refused() {
    let privileged = json!({ "hostNetwork": true });
    let pod_template = Some(PodTemplate { spec: Some(privileged), ..Default::default() });
    let mut observed = world();
    change(&mut observed, |agent| agent.spec.pod_template = pod_template.clone());
    let plan = decide(&observed);
    assert_eq!((kinds(&plan), standing(&plan).1.as_str()), (vec![], "InvalidSpec"));
    assert!(standing(&plan).2.starts_with("spec.podTemplate.spec.hostNetwork: Forbidden"), "{}", standing(&plan).2);

    let mut observed = awake();
    observed.template.as_mut().unwrap().template.pod_template = pod_template;
    let plan = decide(&observed);
    assert_eq!((kinds(&plan), &plan.remove, standing(&plan).1.as_str()), (vec![], &vec![], "InvalidSpec"));
    assert!(standing(&plan).2.starts_with("template default: spec.podTemplate"), "{}", standing(&plan).2);
}

/// From before the rule about names: its pod could still be named after it, and its tasks could not.
#[test]
fn an_old_agent_whose_name_is_too_long_is_stalled_and_can_go() {
    let mut observed = world();
    change(&mut observed, |agent| {
        agent.metadata.name = Some("a".repeat(55));
        agent.spec.instructions = Some("Say hello.".into());
    });
    let plan = decide(&observed);
    assert_eq!((kinds(&plan), standing(&plan).1.as_str()), (vec![], "InvalidSpec"));
    let why = "must be at most 54 characters, because the agent's pod and tasks are named after it; create it again by a shorter name, and delete this one";
    let name = "a".repeat(55);
    assert_eq!(standing(&plan).2, format!("metadata.name: Invalid value: \"{name}\": {why}"));
    assert_eq!(plan.status.as_ref().unwrap().instructions, None);

    change(&mut observed, |agent| agent.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)));
    let plan = decide(&observed);
    assert_eq!((kinds(&plan), standing(&plan).1.as_str()), (vec![], "Deleting"));
}

#[test]
fn tasks_are_handed_over_one_at_a_time_and_the_running_one_first() {
    let mut observed = awake();
    observed.tasks =
        vec![task("a", TaskPhase::Succeeded), task("b", TaskPhase::Pending), task("c", TaskPhase::Running)];
    let plan = decide(&observed);
    let [Call::Allow { allowance, .. }, Call::Teach { .. }, Call::PutTask { pod, uid, request }] = &plan.calls[..]
    else {
        panic!("{:?}", plan.calls)
    };
    assert_eq!(allowance.up_to_usd, None, "no budget is for it");
    assert_eq!((uid.as_str(), pod.ip.as_str(), pod.uid.as_str()), ("c-uid", "10.0.0.9", "p1"));
    assert_eq!((request.instructions.as_str(), request.model.as_str()), ("do c", DEFAULT_MODEL));
    assert_eq!(request.max_cost_usd.map(|cost| cost.to_string()).as_deref(), Some("0.5000"));
    assert_eq!(standing(&plan).1, "Working");
}

#[test]
fn a_cancelled_task_is_told_to_the_agent_or_never_begun() {
    let mut observed = awake();
    let mut running = task("a", TaskPhase::Running);
    Arc::make_mut(&mut running.0).spec.cancel = Some(true);
    observed.tasks = vec![running];
    assert!(
        matches!(&decide(&observed).calls[..], [_, Call::Teach { .. }, Call::PutTask { .. }, Call::CancelTask { uid, .. }] if uid == "a-uid")
    );

    let mut pending = task("b", TaskPhase::Pending);
    Arc::make_mut(&mut pending.0).spec.cancel = Some(true);
    observed.tasks = vec![pending];
    assert_eq!(decide(&observed).calls, []);
}

#[test]
fn a_running_task_is_cancelled_also_where_something_is_missing_for_others() {
    let mut observed = awake();
    let mut running = task("a", TaskPhase::Running);
    Arc::make_mut(&mut running.0).spec.cancel = Some(true);
    observed.tasks = vec![running, task("b", TaskPhase::Pending)];
    observed.template = None;
    let is_told = |plan: Plan<_>| matches!(&plan.calls[..], [Call::CancelTask { uid, .. }] if uid == "a-uid");
    assert!(is_told(decide(&observed)));
    observed.template = world().template;
    observed.knowledge = Knowledge::Lacks("skill s".into());
    assert!(is_told(decide(&observed)));
    change(&mut observed, |agent| agent.spec.suspend = Some(true));
    assert_eq!(decide(&observed).calls, [], "the pod goes");
}

#[test]
fn a_task_that_replaces_cancels_the_running_one_and_goes_before_those_that_wait() {
    let mut observed = awake();
    let mut last = task("c", TaskPhase::Pending);
    Arc::make_mut(&mut last.0).spec.mode = Some(TaskMode::Replace);
    observed.tasks =
        vec![task("a", TaskPhase::Running), task("b", TaskPhase::Pending), last, task("d", TaskPhase::Pending)];
    let told = |observed: &Observed| {
        let calls = decide(observed).calls;
        let told = calls.into_iter().map(|call| match call {
            Call::PutTask { uid, .. } => format!("put {uid}"),
            Call::CancelTask { uid, .. } => format!("cancel {uid}"),
            Call::Teach { .. } => "teach".into(),
            Call::Connect { .. } => "connect".into(),
            Call::Allow { uid, .. } => format!("allow {uid}"),
            Call::Answer { id, .. } => format!("answer {id}"),
            Call::Steer { uid, .. } => format!("say {uid}"),
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(told(&observed), ["allow a-uid", "teach", "put a-uid", "cancel a-uid"]);
    observed.tasks[0] = task("a", TaskPhase::Cancelled);
    assert_eq!(told(&observed), ["allow c-uid", "teach", "put c-uid"]);
}

#[test]
fn an_agent_that_begins_what_was_cancelled_before_is_stopped() {
    let mut observed = awake();
    observed.tasks = vec![task("a", TaskPhase::Cancelled)];
    observed.summary.last_task =
        Some(crate::fold::LastTaskSummary { uid: "a-uid".into(), phase: "Running".into(), ..Default::default() });
    assert!(matches!(&decide(&observed).calls[..], [Call::CancelTask { uid, .. }] if uid == "a-uid"));
    let status = KomputerTaskStatus {
        phase: Some(TaskPhase::Cancelled),
        start_time: Some(Time(observed.now)),
        ..Default::default()
    };
    Arc::make_mut(&mut observed.tasks[0].0).status = Some(status);
    assert_eq!(decide(&observed).calls, []);
}

#[test]
fn a_running_task_whose_object_was_deleted_is_cancelled() {
    let mut observed = awake();
    let running = crate::fold::LastTaskSummary { uid: "a-uid".into(), phase: "Running".into(), ..Default::default() };
    observed.summary.last_task = Some(running.clone());
    observed.tasks = vec![task("b", TaskPhase::Pending)];
    assert!(
        matches!(&decide(&observed).calls[..], [Call::CancelTask { uid, .. }, _, Call::Teach { .. }, Call::PutTask { .. }] if uid == "a-uid")
    );
    observed.tasks.push(task("a", TaskPhase::Running));
    assert!(
        matches!(&decide(&observed).calls[..], [_, Call::Teach { .. }, Call::PutTask { uid, .. }] if uid == "a-uid"),
        "it is wanted"
    );
    observed.tasks.clear();
    observed.summary.last_task = Some(crate::fold::LastTaskSummary { phase: "Cancelled".into(), ..running });
    assert_eq!(decide(&observed).calls, []);
}

#[test]
fn an_agent_that_sleeps_after_tasks_wakes_for_the_next() {
    let mut observed = awake();
    let lifecycle = Lifecycle { after_task: Some(AfterTask::Sleep), ..Default::default() };
    change(&mut observed, |agent| agent.spec.lifecycle = Some(lifecycle));
    observed.tasks = vec![task("a", TaskPhase::Running)];
    assert_eq!(decide(&observed).remove, []);
    observed.tasks = vec![task("a", TaskPhase::Succeeded)];
    let plan = decide(&observed);
    assert_eq!(plan.remove, [pod_removal()]);
    assert_eq!((standing(&plan).0.as_str(), standing(&plan).1.as_str()), ("True", "Sleeping"));
    observed.pod = None;
    observed.tasks.push(task("b", TaskPhase::Pending));
    assert_eq!(kinds(&decide(&observed)), ["Secret", "Pod"]);
}

#[test]
fn an_agent_rests_once_the_ends_of_its_tasks_are_in_their_statuses() {
    for after_task in [AfterTask::Sleep, AfterTask::Delete] {
        let mut observed = awake();
        let lifecycle = Lifecycle { after_task: Some(after_task), ..Default::default() };
        change(&mut observed, |agent| agent.spec.lifecycle = Some(lifecycle));
        let (task, _) = task("a", TaskPhase::Running);
        observed.tasks = vec![(task, TaskPhase::Succeeded)];
        let plan = decide(&observed);
        assert_eq!((plan.remove.as_slice(), standing(&plan).1.as_str()), (&[][..], "Idle"));
        observed.pod = None;
        assert_eq!(decide(&observed).apply, [], "nor does it wake for that");
    }
}

#[test]
fn suspending_and_finishing_remove_what_they_say() {
    let mut observed = awake();
    observed.tasks = vec![task("a", TaskPhase::Succeeded)];
    change(&mut observed, |agent| agent.spec.suspend = Some(true));
    let plan = decide(&observed);
    assert_eq!((plan.remove.as_slice(), standing(&plan).1.as_str()), (&[pod_removal()][..], "Suspended"));

    let lifecycle = Lifecycle { after_task: Some(AfterTask::Delete), ..Default::default() };
    change(&mut observed, |agent| {
        agent.spec.suspend = None;
        agent.spec.lifecycle = Some(lifecycle);
    });
    let plan = decide(&observed);
    assert_eq!(plan.remove, [pod_removal(), volume_removal()]);
    assert_eq!(standing(&plan).1, "Finished");
    observed.tasks.clear();
    assert_eq!(decide(&observed).remove, [], "it has not worked yet");
    observed.summary.tasks = TaskCounts { failed: 1, ..Default::default() };
    assert_eq!(decide(&observed).remove, [pod_removal(), volume_removal()], "its task is gone already");
}

/// A task that ended so many seconds after the epoch.
fn ended(name: &str, second: i64) -> (Arc<KomputerTask>, TaskPhase) {
    let (mut task, phase) = task(name, TaskPhase::Succeeded);
    let status = Arc::make_mut(&mut task).status.as_mut().unwrap();
    status.completion_time = Some(Time(Timestamp::from_second(second).unwrap()));
    (task, phase)
}

#[test]
fn an_idle_agent_sleeps_when_its_time_is_over() {
    for after_task in [None, Some(AfterTask::Sleep)] {
        let mut observed = awake();
        let lifecycle = Lifecycle { after_task, idle_timeout: Some("10m".into()), ..Default::default() };
        change(&mut observed, |agent| agent.spec.lifecycle = Some(lifecycle));
        observed.tasks = vec![ended("a", 30), ended("b", 100)];
        observed.now = Timestamp::from_second(699).unwrap();
        let plan = decide(&observed);
        assert_eq!((&plan.remove[..], plan.again), (&[][..], Some(Duration::from_secs(1))));
        observed.now = Timestamp::from_second(700).unwrap();
        let plan = decide(&observed);
        assert_eq!((plan.remove.as_slice(), plan.again), (&[pod_removal()][..], None));
        assert_eq!(standing(&plan).1, "Sleeping");
        observed.pod = None;
        assert_eq!(decide(&observed).apply, [], "it stays asleep");
        observed.tasks.push(task("c", TaskPhase::Pending));
        assert_eq!(kinds(&decide(&observed)), ["Secret", "Pod"], "work wakes it");
    }
}

#[test]
fn before_any_task_an_agent_is_idle_since_it_was_ready() {
    let mut observed = awake();
    let lifecycle = Lifecycle { idle_timeout: Some("10m".into()), ..Default::default() };
    change(&mut observed, |agent| {
        agent.spec.lifecycle = Some(lifecycle);
        agent.metadata.creation_timestamp = Some(Time(Timestamp::from_second(0).unwrap()));
    });
    let pod = Arc::make_mut(observed.pod.as_mut().unwrap());
    pod.status.conditions[0].last_transition_time = Some(Time(Timestamp::from_second(500).unwrap()));
    observed.now = Timestamp::from_second(1_099).unwrap();
    assert_eq!(standing(&decide(&observed)).1, "Idle");
    observed.now = Timestamp::from_second(1_100).unwrap();
    assert_eq!(standing(&decide(&observed)).1, "Sleeping");
}

#[test]
fn the_workspace_of_a_finished_agent_stays_as_long_as_it_says() {
    let mut observed = awake();
    let lifecycle =
        Lifecycle { after_task: Some(AfterTask::Delete), ttl_after_finished: Some("1h".into()), ..Default::default() };
    change(&mut observed, |agent| agent.spec.lifecycle = Some(lifecycle));
    observed.tasks = vec![ended("a", 100)];
    observed.now = Timestamp::from_second(200).unwrap();
    let plan = decide(&observed);
    assert_eq!((plan.remove.as_slice(), standing(&plan).1.as_str()), (&[pod_removal()][..], "Finished"));
    assert!(standing(&plan).2.contains("1970-01-01T01:01:40Z"), "{}", standing(&plan).2);
    assert_eq!(plan.again, Some(Duration::from_secs(3_500)));
    observed.pod = None;
    observed.now = Timestamp::from_second(3_700).unwrap();
    assert_eq!(decide(&observed).remove, [volume_removal()]);
}

#[test]
fn a_changed_template_replaces_the_pod_between_tasks() {
    let mut observed = awake();
    observed.template.as_mut().unwrap().template.image = Some("agent:2".into());
    observed.tasks = vec![task("a", TaskPhase::Running)];
    assert_eq!(decide(&observed).remove, [], "a running task is not cut short");
    observed.tasks.clear();
    assert_eq!(decide(&observed).remove, [pod_removal()]);

    let mut observed = awake();
    observed.template.as_mut().unwrap().key = ModelKey::Copied(Sensitive::new("rotated"));
    assert_eq!(decide(&observed).remove, [pod_removal()], "a rotated key too");
}

fn status_of(value: serde_json::Value) -> AgentPodStatus {
    serde_json::from_value(value).unwrap()
}

#[test]
fn pods_that_end_again_and_again_are_made_less_and_less_often() {
    let mut observed = awake();
    let end = |observed: &mut Observed, uid: &str| {
        let mut ended = pod(observed);
        ended.metadata.uid = Some(uid.into());
        ended.status = status_of(json!({ "phase": "Failed", "reason": "Evicted" }));
        observed.pod = Some(Arc::new(ended));
        let plan = decide(observed);
        change(observed, |agent| agent.status = plan.status.clone().or(agent.status.take()));
        plan
    };
    let first = end(&mut observed, "p1");
    assert_eq!((first.remove.len(), standing(&first).1.as_str()), (1, "PodFailed"));
    let second = end(&mut observed, "p2");
    assert_eq!((second.remove.len(), second.again), (0, Some(Duration::from_secs(10))));
    observed.now += jiff::SignedDuration::from_secs(10);
    assert_eq!(end(&mut observed, "p2").remove.len(), 1);

    // The next one is ready, and after a while all is forgotten.
    let failures =
        |plan: &Plan<KomputerAgentStatus>| plan.status.as_ref().unwrap().pod_failure.as_ref().map(|all| all.count);
    let since = observed.now;
    let ready = json!([{ "type": "Ready", "status": "True", "lastTransitionTime": since.to_string() }]);
    let status = status_of(json!({ "podIP": "10.0.0.9", "conditions": ready }));
    observed.pod = Some(Arc::new(AgentPod { status, ..pod(&observed) }));
    let plan = decide(&observed);
    assert_eq!((failures(&plan), plan.again), (Some(2), Some(Duration::from_mins(10))));
    observed.now += jiff::SignedDuration::from_mins(10);
    assert_eq!(failures(&decide(&observed)), None);
}

#[test]
fn a_workspace_grows_and_a_busy_agent_asks_only_once() {
    let mut observed = awake();
    let (size, metadata) = (json!({ "storage": "5Gi" }), observed.volume.as_ref().unwrap().metadata.clone());
    let spec = serde_json::from_value(json!({ "resources": { "requests": size } })).unwrap();
    let status = serde_json::from_value(json!({ "phase": "Bound", "capacity": size })).unwrap();
    observed.volume = Some(Arc::new(AgentVolume { metadata, spec, status }));
    observed.template.as_mut().unwrap().template.storage =
        Some(Storage { size: Some(Quantity("6Gi".into())), storage_class_name: None });
    observed.tasks = vec![task("a", TaskPhase::Running)];
    let first = decide(&observed);
    let grow = Child::VolumeSize(Exactly { name: "ada".into(), uid: "v1".into() }, Quantity("6Gi".into()));
    assert_eq!((first.last.clone(), standing(&first).1), (Some(grow.clone()), "Working".into()));
    change(&mut observed, |agent| agent.status = first.status);
    assert_eq!(decide(&observed).last, None);
    observed.tasks.clear();
    assert_eq!(decide(&observed).last, Some(grow));
}

#[test]
fn a_pod_whose_workspace_is_gone_gets_another() {
    let mut observed = world();
    let mut pod = pod(&observed);
    pod.metadata.creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    observed.pod = Some(Arc::new(pod));
    let second = |second: i64| Timestamp::from_second(second).unwrap();
    observed.now = second(1); // the workspace may be on its way to the cache
    let plan = decide(&observed);
    assert_eq!((plan.apply.is_empty(), plan.again), (true, Some(Duration::from_secs(4))));
    observed.now = second(5);
    assert!(matches!(&decide(&observed).apply[..], [Child::Volume(_)]));
    observed.volume = Some(volume(&observed));
    assert!(decide(&observed).apply.is_empty());
}

#[test]
fn a_pod_that_does_not_go_is_told_of() {
    let mut observed = awake();
    let mut leaving = pod(&observed);
    leaving.metadata.deletion_timestamp = Some(Time(observed.now));
    observed.pod = Some(Arc::new(leaving));
    let plan = decide(&observed);
    assert_eq!((standing(&plan).1.as_str(), plan.again), ("Starting", Some(Duration::from_mins(1))));
    observed.now += jiff::SignedDuration::from_mins(1);
    let (status, reason, message) = standing(&decide(&observed));
    assert_eq!((status.as_str(), reason.as_str()), ("False", "PodStuck"));
    assert!(message.contains("node.kubernetes.io/out-of-service"), "{message}");
}

#[test]
fn what_somebody_else_made_is_not_touched() {
    let mut observed = awake();
    let mut foreign = AgentPod::clone(observed.pod.as_ref().unwrap());
    foreign.metadata.owner_references = None;
    observed.pod = Some(Arc::new(foreign));
    change(&mut observed, |agent| agent.spec.suspend = Some(true));
    let plan = decide(&observed);
    assert_eq!((plan.remove, plan.apply), (vec![], vec![]));
    assert!(standing(&decide(&observed)).2.starts_with("Pod ada exists and belongs to somebody else"));
}

#[test]
fn nothing_is_made_for_an_agent_that_goes() {
    let mut observed = world();
    change(&mut observed, |agent| agent.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)));
    let plan = decide(&observed);
    assert_eq!((plan.remove.len(), plan.apply.len(), plan.calls.len()), (0, 0, 0));
    assert_eq!(standing(&plan).1, "Deleting");

    let plan = decide(&Observed { namespace_is_going: true, ..world() });
    assert_eq!(
        (kinds(&plan), standing(&plan).1.as_str()),
        (vec![], "Deleting"),
        "its namespace takes nothing any more"
    );
}

#[test]
fn progress_is_written_every_five_seconds_and_an_end_at_once() {
    let mut observed = awake();
    observed.tasks = vec![task("a", TaskPhase::Running)];
    let mut last = crate::fold::LastTaskSummary { uid: "a-uid".into(), phase: "Running".into(), ..Default::default() };
    observed.summary.last_task = Some(last.clone());
    let first = decide(&observed).status;
    change(&mut observed, |agent| agent.status = first);
    observed.written = Some(observed.now);
    observed.now += jiff::SignedDuration::from_secs(2);
    observed.summary.cursor = "5-0".parse().unwrap();
    last.message = Some("Calling Bash".into());
    observed.summary.last_task = Some(last.clone());
    let plan = decide(&observed);
    assert_eq!((plan.status, plan.again), (None, Some(Duration::from_secs(3))));
    last.phase = "Succeeded".into();
    observed.summary.last_task = Some(last);
    observed.tasks = vec![task("a", TaskPhase::Succeeded)];
    assert!(decide(&observed).status.is_some());
}

#[test]
fn what_a_starting_pod_says_is_progress() {
    let mut observed = awake();
    observed.pod = Some(Arc::new(pod(&observed)));
    let first = decide(&observed).status;
    change(&mut observed, |agent| agent.status = first);
    observed.written = Some(observed.now);
    let pulling = json!({ "containerStatuses": [{ "state": { "waiting": { "reason": "ContainerCreating" } } }] });
    let status = serde_json::from_value(pulling).unwrap();
    observed.pod = Some(Arc::new(AgentPod { status, ..pod(&observed) }));
    assert_eq!(decide(&observed).status, None);
    observed.now += jiff::SignedDuration::from_secs(5);
    assert!(standing(&decide(&observed)).2.contains("ContainerCreating"));
}

#[test]
fn no_secret_is_in_a_pod_or_a_status() {
    let observed = world();
    let plan = decide(&observed);
    let pod = plan.apply.iter().find_map(|child| if let Child::Pod(pod) = child { Some(pod) } else { None });
    let text = serde_json::to_string(&(pod.unwrap(), plan.status)).unwrap();
    for audience in [Audience::AgentHttp, Audience::Redis] {
        assert!(!text.contains(observed.master.derive(audience, "u1").reveal()));
    }
}

#[test]
fn a_workspace_is_made_again_only_for_an_agent_that_is_still_there() {
    let mut observed = world();
    assert_eq!(decide(&observed).present, [], "a new one has had none");
    let seen = KomputerAgentStatus { observed_generation: Some(3), ..Default::default() };
    change(&mut observed, |agent| agent.status = Some(seen));
    let plan = decide(&observed);
    assert!(kinds(&plan).contains(&"Volume"));
    assert_eq!(plan.present, [Exactly { name: "ada".into(), uid: "u1".into() }]);
    observed.volume = Some(volume(&observed));
    assert_eq!(decide(&observed).present, []);
}
