use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerOffice, KomputerSchedule, KomputerTask, StatusConditions};
use komputer_events::{AgentId, Body, Cursor, Event, office::Answer};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    Facts, Observed,
    decide::decide,
    observe::{Above, Left, Named},
};
use crate::{
    declared,
    fold::{Fold, OpenRequests},
    keys::Sensitive,
    plan::{Child, Effect, Errand, PodAddress, Removal},
};

const NOW: &str = "2026-01-01T12:00:00Z";

fn object<K: serde::de::DeserializeOwned>(kind: &str, name: &str, more: &Value) -> K {
    let mut object = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": kind,
        "metadata": { "name": name, "namespace": "team", "uid": format!("{name}-uid"), "generation": 3 },
    });
    for (key, value) in more.as_object().unwrap() {
        match key.as_str() {
            "owner" => {
                object["metadata"]["ownerReferences"] =
                    json!([{ "apiVersion": "v1", "kind": "K", "name": "o", "uid": value, "controller": true }]);
            }
            "request" => object["metadata"]["annotations"] = json!({ "komputer.komputer.ai/request": value }),
            "labels" => object["metadata"]["labels"] = value.clone(),
            _ => object[key] = value.clone(),
        }
    }
    serde_json::from_value(object).unwrap()
}

fn agent(name: &str, more: Value) -> Arc<KomputerAgent> {
    let mut more = more;
    more.as_object_mut().unwrap().entry("spec").or_insert(json!({}));
    Arc::new(object("KomputerAgent", name, &more))
}

fn member(name: &str) -> Arc<KomputerAgent> {
    agent(name, json!({ "owner": "office-uid", "spec": { "managerRef": { "name": "boss" } } }))
}

fn task(name: &str, agent: &str, phase: &str) -> Arc<KomputerTask> {
    let spec = json!({ "agentRef": { "name": agent }, "instructions": "i" });
    let status = json!({ "phase": phase, "result": "42", "costUSD": "0.1" });
    Arc::new(object("KomputerTask", name, &json!({ "owner": "office-uid", "spec": spec, "status": status })))
}

/// An office of `boss`, who has asked this, three seconds ago.
fn observed(spec: Value, requests: &[Value]) -> Observed {
    let mut office = spec;
    office["managerRef"] = json!({ "name": "boss" });
    let office: KomputerOffice = object("KomputerOffice", "office", &json!({ "spec": office }));
    let mut open = OpenRequests::default();
    let now: Timestamp = NOW.parse().unwrap();
    for (number, request) in requests.iter().enumerate() {
        let body =
            Body::OfficeRequest { id: format!("r{number}"), request: serde_json::from_value(request.clone()).unwrap() };
        open.fold(&Event {
            id: Cursor::at(number as u64 + 1),
            seq: 1,
            agent: AgentId::new("team", "boss").unwrap(),
            timestamp: now - jiff::SignedDuration::from_secs(3),
            task: Some("t".into()),
            body,
        });
    }
    let spec = json!({
        "role": "Manager", "model": "claude-opus-4-6", "templateRef": { "name": "large" },
        "secretRefs": [{ "name": "github" }], "skills": [{ "name": "review" }],
    });
    let labels = json!({
        "team": "blue", "app.kubernetes.io/instance": "fleet", "argocd.argoproj.io/instance": "fleet",
        "kustomize.toolkit.fluxcd.io/name": "fleet", "helm.sh/chart": "c", "komputer.ai/office": "other",
    });
    Observed {
        declared: declared::Observed {
            object: Arc::new(office),
            facts: Facts {
                manager: Some(agent("boss", json!({ "spec": spec, "labels": labels }))),
                members: BTreeMap::new(),
            },
            namespace_is_going: false,
            written: None,
            now,
        },
        requests: open,
        pod: Some(PodAddress {
            uid: "p".into(),
            restarts: 0,
            ip: "10.0.0.1".into(),
            port: 8000,
            token: Sensitive::new("t"),
        }),
        above: vec![Above { manager: "boss".into(), max_depth: None }],
        named: Named::default(),
        left: Left::default(),
    }
}

impl Observed {
    fn with_member(mut self, name: &str) -> Self {
        self.declared.facts.members.insert(name.into(), member(name));
        self.named.agents.insert(name.into(), member(name));
        self
    }

    fn with_task(mut self, task: Arc<KomputerTask>) -> Self {
        self.named.tasks.insert(task.name_any(), task);
        self
    }
}

fn request(tool: &str, input: Value) -> Value {
    json!({ "tool": tool, "input": input })
}

fn errands(observed: &Observed) -> Vec<Errand> {
    decide(observed).errands
}

/// What the manager is told, and whether something is done before.
#[track_caller]
fn told(observed: &Observed) -> (bool, Result<Value, String>) {
    let errands = errands(observed);
    assert_eq!(errands.len(), 1, "{errands:?}");
    let answer = match &errands[0].answer {
        Answer::Result(result) => Ok(result.clone()),
        Answer::Error(words) => Err(words.clone()),
    };
    (errands[0].effect.is_some(), answer)
}

#[track_caller]
fn refused(observed: &Observed, words: &str) {
    assert_eq!(told(observed), (false, Err(words.into())));
}

fn created(observed: &Observed) -> KomputerAgent {
    match errands(observed).remove(0).effect {
        Some(Effect::Apply(Child::Agent(agent))) => *agent,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_agent_that_is_made_has_what_its_manager_has_and_is_the_offices() {
    let asked = request("create_agent", json!({ "name": "ada", "instructions": "Count." }));
    let agent = created(&observed(json!({}), &[asked]));
    let spec = serde_json::to_value(&agent.spec).unwrap();
    let expected = json!({
        "instructions": "Count.", "templateRef": { "name": "large" }, "model": "claude-opus-4-6", "role": "Worker",
        "managerRef": { "name": "boss" }, "lifecycle": { "afterTask": "Sleep" },
        "secretRefs": [{ "name": "github" }], "skills": [{ "name": "review" }],
    });
    assert_eq!(spec, expected);
    // Budgets select it as they do its manager; whoever prunes what is not in Git does not take it for Git's.
    let labels = agent.labels().iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
    let expected = [
        "app.kubernetes.io/instance=ada",
        "app.kubernetes.io/managed-by=komputer-operator",
        "app.kubernetes.io/name=komputer-agent",
        "app.kubernetes.io/part-of=komputer",
        "komputer.ai/office=office",
        "team=blue",
    ];
    assert_eq!(labels, expected);
    assert_eq!(agent.owner_references()[0].uid, "office-uid");
    assert_eq!(agent.resource_version().as_deref(), Some("1"), "it takes over nobody");
}

#[test]
fn making_the_same_agent_again_changes_nothing_and_nobody_elses_is_taken() {
    let asked = || request("create_agent", json!({ "name": "ada" }));
    let there = observed(json!({}), &[asked()]).with_member("ada");
    let (does, answer) = told(&there);
    assert_eq!((does, &answer.unwrap()["was_there_already"]), (false, &json!(true)));

    let mut again = observed(json!({}), &[asked()]);
    again.named.agents.insert("ada".into(), agent("ada", json!({ "owner": "office-uid", "request": "r0" })));
    let (does, answer) = told(&again);
    assert_eq!((does, &answer.unwrap()["was_there_already"]), (false, &json!(false)), "a crash before the answer");

    let mut foreign = observed(json!({}), &[asked()]);
    foreign.named.agents.insert("ada".into(), agent("ada", json!({ "spec": { "managerRef": { "name": "boss" } } })));
    refused(&foreign, "there is an agent ada already that is not yours; choose another name");
}

#[test]
fn an_office_bounds_number_depth_and_templates() {
    let ask = |more: Value| {
        let mut input = json!({ "name": "eve" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request("create_agent", input)
    };
    let full = observed(json!({ "maxAgents": 1 }), &[ask(json!({}))]).with_member("ada");
    refused(&full, "KomputerOffice office may have 1 agents and has them; delete one that you need no more");

    // Two that are asked for at the same time do not fit into one place.
    let two = [request("create_agent", json!({ "name": "eve" })), request("create_agent", json!({ "name": "bob" }))];
    let made = |limit: u8| {
        let errands = errands(&observed(json!({ "maxAgents": limit }), &two));
        errands.iter().map(|errand| errand.effect.is_some()).collect::<Vec<_>>()
    };
    assert_eq!((made(1), made(2)), (vec![true, false], vec![true, true]));

    let other = observed(json!({ "templateRefs": [{ "name": "small" }] }), &[ask(json!({ "template": "huge" }))]);
    refused(&other, "KomputerOffice office does not allow template huge; choose one of large, small");
    let listed = observed(json!({ "templateRefs": [{ "name": "small" }] }), &[ask(json!({ "template": "small" }))]);
    assert_eq!(created(&listed).spec.template_ref.unwrap().name, "small");

    let manager = || ask(json!({ "role": "manager" }));
    let flat = observed(json!({}), &[manager()]);
    let words =
        "the office of KomputerAgent boss allows 1 managers above each other, and eve would be one more; make a worker";
    refused(&flat, words);
    let above = |limits: [i32; 2]| {
        let mut deep = observed(json!({}), &[manager()]);
        let of = |(manager, depth): (&str, i32)| Above { manager: manager.into(), max_depth: Some(depth) };
        deep.above = [("boss", limits[0]), ("head", limits[1])].map(of).into();
        told(&deep).1.is_ok()
    };
    assert_eq!([[2, 3], [2, 2], [1, 3]].map(above), [true, false, false]);

    let long = observed(json!({}), &[request("create_agent", json!({ "name": "a".repeat(60) }))]);
    assert!(told(&long).1.unwrap_err().contains("metadata.name"));
    for name in ["../komputertasks/t", "..", "ada/status", "ada?dryRun=All", "", "-a"] {
        let odd = observed(json!({}), &[request("create_agent", json!({ "name": name }))]);
        let (does, answer) = told(&odd);
        assert!(!does && answer.unwrap_err().contains("begins and ends with a letter or digit"), "{name}");
    }
}

#[test]
fn only_what_the_manager_has_made_is_deleted() {
    let asked = || request("delete_agent", json!({ "name": "ada" }));
    let made = observed(json!({}), &[asked()]).with_member("ada");
    assert!(matches!(errands(&made)[0].effect, Some(Effect::Remove(Removal::Agent(_)))));
    let gone = observed(json!({}), &[asked()]);
    assert_eq!(told(&gone), (false, Ok(json!({ "deleted": "ada" }))));
    let mut declared = observed(json!({}), &[asked()]).with_member("ada");
    declared.named.agents.insert("ada".into(), agent("ada", json!({ "owner": "somebody" })));
    refused(&declared, "you have not made agent ada; leave it as it is");
}

#[test]
fn nothing_is_said_of_what_is_not_there_before_the_cache_has_had_time_to_show_it() {
    for tool in ["delete_agent", "delete_schedule", "cancel_task", "read_results"] {
        let mut soon = observed(json!({}), &[request(tool, json!({ "name": "made-just-now" }))]);
        assert_eq!(errands(&soon).len(), 1, "{tool}");
        soon.declared.now -= jiff::SignedDuration::from_secs(1);
        let plan = decide(&soon);
        assert_eq!((plan.errands, plan.again), (Vec::new(), Some(Duration::from_secs(1))), "{tool}");
    }
}

#[test]
fn what_a_request_changes_the_next_one_about_it_is_to_see() {
    let create = |name: &str| request("create_agent", json!({ "name": name }));
    let all = [
        create("ada"),
        request("delete_agent", json!({ "name": "ada" })),
        create("eve"),
        request("list_agents", json!({})),
    ];
    let plan = decide(&observed(json!({}), &all));
    assert_eq!(plan.errands.iter().map(|errand| &*errand.id).collect::<Vec<_>>(), ["r0", "r2"]);
    assert!(plan.again.is_some(), "the others in their turn");
    let seen = observed(json!({}), &all).with_member("ada").with_member("eve");
    let ids: Vec<_> = errands(&seen).into_iter().map(|errand| errand.id).collect();
    assert_eq!(ids, ["r0", "r1", "r2"], "a list is made once ada is gone");
}

#[test]
fn a_task_is_given_once_and_to_members_alone() {
    let asked = || request("ask_agent", json!({ "name": "ada", "instructions": "Count." }));
    let first = observed(json!({}), &[asked()]).with_member("ada");
    let errand = errands(&first).remove(0);
    let Some(Effect::Apply(Child::Task(made))) = errand.effect else { panic!("{errand:?}") };
    assert_eq!((made.spec.agent_ref.name.as_str(), made.spec.instructions.as_str()), ("ada", "Count."));
    assert_eq!(made.owner_references()[0].uid, "office-uid");
    assert_eq!(errand.answer, Answer::Result(json!({ "task": made.name_any() })));
    let again = first.with_task(Arc::new(*made));
    assert!(!told(&again).0, "the operator died before it answered");

    refused(
        &observed(json!({}), &[asked()]),
        "no agent ada works for you; list_agents says which do, and create_agent makes one",
    );
    let mut at_once = observed(json!({}), &[asked()]);
    at_once.declared.now = at_once.requests.iter().next().unwrap().at;
    assert_eq!(errands(&at_once), [], "one that was just made may not be seen yet");
    assert!(decide(&at_once).again.is_some());
}

#[test]
fn tasks_are_waited_for_until_all_have_ended_or_the_time_is_over() {
    let asked = |seconds: u32| {
        let input = json!({ "tasks": ["t1", "t2", "t3"], "timeout_seconds": seconds });
        observed(json!({}), &[request("wait_for_tasks", input)])
            .with_member("ada")
            .with_task(task("t1", "ada", "Succeeded"))
            .with_task(Arc::new(object("KomputerTask", "t3", &json!({
                "spec": { "agentRef": { "name": "stranger" }, "instructions": "i" }, "status": { "phase": "Running" },
            }))))
    };
    let works = asked(60).with_task(task("t2", "ada", "Running"));
    let plan = decide(&works);
    assert_eq!((plan.errands.len(), plan.again.unwrap().as_secs()), (0, 57));
    let over = asked(2).with_task(task("t2", "ada", "Running"));
    let ended = asked(60).with_task(task("t2", "ada", "Failed"));
    for (observed, phase) in [(over, "Running"), (ended, "Failed")] {
        let line = |name: &str, phase: &str| json!({ "task": name, "agent": "ada", "phase": phase, "result": "42", "message": null, "cost_usd": "0.1" });
        let unknown = json!({ "task": "t3", "phase": "Unknown" });
        let expected = json!({ "tasks": [line("t1", "Succeeded"), line("t2", phase), unknown] });
        assert_eq!(told(&observed), (false, Ok(expected)), "strangers' tasks are not told of");
    }
}

#[test]
fn agents_are_waited_for_until_all_that_they_have_to_do_is_done() {
    let asked = || observed(json!({}), &[request("wait_for_tasks", json!({ "agents": ["ada"] }))]);
    let spec = json!({ "managerRef": { "name": "boss" }, "instructions": "i" });
    let mut new = asked();
    new.declared.facts.members.insert("ada".into(), agent("ada", json!({ "spec": spec })));
    assert_eq!(errands(&new), [], "its instructions are no task yet");
    let works = || asked().with_member("ada").with_task(task("t1", "ada", "Succeeded"));
    assert_eq!(errands(&works().with_task(task("t2", "ada", "Pending"))), []);
    let (_, answer) = told(&works().with_task(task("t2", "ada", "Failed")));
    let answer = answer.unwrap();
    assert_eq!((&answer["tasks"][0]["task"], answer["tasks"].as_array().unwrap().len()), (&json!("t2"), 1));
}

#[test]
fn an_answer_is_never_longer_than_an_agent_takes() {
    let names: Vec<_> = (0..500).map(|number| format!("t{number}")).collect();
    let mut many = observed(json!({}), &[request("wait_for_tasks", json!({ "tasks": names }))]).with_member("ada");
    for name in &names {
        let mut task = Arc::unwrap_or_clone(task(name, "ada", "Succeeded"));
        task.status.as_mut().unwrap().result = Some("\u{1}".repeat(32 << 10));
        many = many.with_task(Arc::new(task));
    }
    let length = told(&many).1.unwrap().to_string().len();
    assert!((500_000..1 << 20).contains(&length), "{length}");
    let names = vec!["t"; 501];
    refused(
        &observed(json!({}), &[request("wait_for_tasks", json!({ "tasks": names }))]),
        "you wait for 501 and may for 500 at once; wait for some of them first",
    );
}

#[test]
fn whoever_is_no_manager_is_given_nothing() {
    let mut worker = observed(json!({}), &[request("create_agent", json!({ "name": "ada" }))]);
    worker.declared.facts.manager = Some(agent("boss", json!({})));
    refused(&worker, "you are no manager; set spec.role to Manager");
}

#[test]
fn only_what_the_manager_has_given_is_cancelled() {
    let asked = || observed(json!({}), &[request("cancel_task", json!({ "name": "t1" }))]).with_member("ada");
    let own = asked().with_task(task("t1", "ada", "Running"));
    assert!(matches!(errands(&own)[0].effect, Some(Effect::Apply(Child::Cancellation(_)))));
    assert!(!told(&asked().with_task(task("t1", "ada", "Succeeded"))).0);
    let of = |owner: &str| {
        let spec = json!({ "agentRef": { "name": "ada" }, "instructions": "i" });
        Arc::new(object::<KomputerTask>("KomputerTask", "t1", &json!({ "owner": owner, "spec": spec })))
    };
    assert!(told(&asked().with_task(of("ada-uid"))).0, "the instructions it was made with");
    refused(&asked().with_task(of("somebody")), "you have not given task t1; leave it as it is");
    refused(&asked(), "there is no task t1");
}

#[test]
fn a_schedule_is_the_offices_and_for_its_members() {
    let input = json!({ "name": "daily", "agent": "ada", "schedule": "0 9 * * *", "instructions": "i" });
    let asked = || observed(json!({}), &[request("create_schedule", input.clone())]).with_member("ada");
    let errand = errands(&asked()).remove(0);
    let Some(Effect::Apply(Child::Schedule(made))) = errand.effect else { panic!("{errand:?}") };
    let spec = serde_json::to_value(&made.spec).unwrap();
    assert_eq!((&spec["schedule"], &spec["agentRef"]["name"]), (&json!("0 9 * * *"), &json!("ada")));
    let mut foreign = asked();
    let spec = json!({ "schedule": "0 9 * * *", "task": { "instructions": "i" }, "agentRef": { "name": "ada" } });
    let daily: Arc<KomputerSchedule> = Arc::new(object("KomputerSchedule", "daily", &json!({ "spec": spec })));
    foreign.named.schedules.insert("daily".into(), daily);
    refused(&foreign, "there is a schedule daily already; choose another name, or delete it");
}

#[test]
fn what_the_office_made_goes_with_its_manager_and_nothing_else() {
    let mut left = observed(json!({}), &[]);
    left.declared.facts.manager = None;
    let declared = agent("eve", json!({ "spec": { "managerRef": { "name": "boss" } } }));
    left.left = Left { agents: vec![member("ada"), declared], schedules: Vec::new() };
    let removed: Vec<_> = decide(&left).remove;
    assert!(matches!(&removed[..], [Removal::Agent(agent)] if agent.name == "ada"), "{removed:?}");
    left.declared.facts.manager = Some(agent("boss", json!({})));
    assert_eq!(decide(&left).remove, []);
}

#[test]
fn nothing_is_done_without_a_pod_to_answer_or_by_an_office_that_goes() {
    let asked = || observed(json!({}), &[request("create_agent", json!({ "name": "ada" }))]);
    let mut asleep = asked();
    asleep.pod = None;
    assert_eq!(errands(&asleep), []);
    let mut going = asked();
    going.declared.namespace_is_going = true;
    assert_eq!(errands(&going), []);
}

#[test]
fn an_office_adds_its_agents_up_and_tells_of_one_that_is_stalled() {
    let standing = |observed: &Observed| {
        let status = decide(observed).status.unwrap();
        let ready = status.conditions()[0].clone();
        let second = status.conditions().get(1).map(|second| second.type_.clone()).unwrap_or_default();
        let mut status = serde_json::to_value(status).unwrap();
        status
            .as_object_mut()
            .unwrap()
            .retain(|field, _| !["conditions", "observedGeneration"].contains(&field.as_str()));
        (ready.status, ready.reason, second, ready.message, status)
    };
    let mut office = observed(json!({}), &[]);
    office.declared.facts.manager = None;
    let (status, reason, second, message, _) = standing(&office);
    assert_eq!([status, reason, second], ["Unknown", "DependencyNotReady", "Reconciling"]);
    assert_eq!(message, "spec.managerRef: KomputerAgent boss does not exist; create it with role Manager");

    let last = |phase: &str| json!({ "uid": "u", "phase": phase, "costUSD": "0.1" });
    let status = json!({ "totalCostUSD": "0.25", "lastTask": last("Running"), "tokens": { "input": 1, "output": 2 } });
    office.declared.facts.manager = Some(agent("boss", json!({ "status": status })));
    let status = json!({ "totalCostUSD": "0.5", "lastTask": last("Succeeded") });
    office.declared.facts.members.insert("ada".into(), agent("ada", json!({ "status": status })));
    let expected = json!({
        "phase": "InProgress", "totalAgents": 2, "activeAgents": 1, "completedAgents": 1, "totalCostUSD": "0.7500", "totalTokens": 3,
        "manager": { "name": "boss", "role": "Worker", "taskPhase": "Running", "totalCostUSD": "0.25" },
        "members": [{ "name": "ada", "role": "Worker", "taskPhase": "Succeeded", "totalCostUSD": "0.5" }],
    });
    assert_eq!(standing(&office).4, expected);

    let stalled = json!({ "conditions": [{
        "type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "spec.model is odd", "lastTransitionTime": NOW,
    }] });
    office.declared.facts.members.insert("ada".into(), agent("ada", json!({ "status": stalled })));
    let (status, reason, second, message, _) = standing(&office);
    assert_eq!([status, reason, second], ["False", "AgentNotReady", "Reconciling"]);
    assert_eq!(message, "KomputerAgent ada is stalled: spec.model is odd");
}
