//! Each situation by its value.
mod membership;
mod pods;
mod replacement;
mod standings;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use komputer_crds::v1beta1::{
    KomputerAgent, KomputerSquad, KomputerSquadStatus, KomputerTask, SquadMember, SquadPhase, TaskPhase,
    WorkspaceAccess,
};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::{Member, Observed, decide};
use crate::{
    agent::{self, AgentPod, Membership, Place},
    keys::MasterKey,
    plan::{Child, Exactly, Plan, Removal},
    settings::Settings,
};

fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        namespace: "komputer-system".into(),
        agent_image: "agent:1".into(),
        agent_redis_address: "redis:6379".into(),
    })
}

/// An agent of the squad `crew` that is awake, without a pod.
fn agent(name: &str) -> agent::Observed {
    let agent: KomputerAgent = serde_json::from_value(json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "spec": {},
        "metadata": { "name": name, "namespace": "team", "uid": format!("{name}-uid") },
    }))
    .unwrap();
    let squad = Some(Membership { squad: "crew".into(), stays: true, begins: true, pod: None, seat: None });
    agent::Observed { squad, ..agent::Observed::of(agent) }
}

fn change(agent: &mut agent::Observed, change: impl FnOnce(&mut KomputerAgent)) {
    change(Arc::make_mut(&mut agent.agent));
}

fn member(name: &str) -> Member {
    let spec = SquadMember { name: name.into(), ..Default::default() };
    Member { spec, keeper: None, agent: Some(agent(name)) }
}

/// The squad `crew` of these.
fn crew(members: Vec<Member>) -> Observed {
    let names: Vec<_> = members.iter().map(|member| &member.spec).collect();
    let squad: KomputerSquad = serde_json::from_value(json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSquad", "spec": { "members": names },
        "metadata": { "name": "crew", "namespace": "team", "uid": "s1", "generation": 3 },
    }))
    .unwrap();
    Observed {
        squad: Arc::new(squad),
        members,
        leaving: vec![],
        former: vec![],
        pod: None,
        making: None,
        namespace_is_going: false,
        settings: settings(),
        master: MasterKey::new([7; 64]),
        written: None,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn squad(observed: &mut Observed, change: impl FnOnce(&mut KomputerSquad)) {
    change(Arc::make_mut(&mut observed.squad));
}

/// The same a moment later: what was to be made is there, what was to be removed is not, and the status is written.
fn carried_out(mut observed: Observed) -> Observed {
    let plan = decide(&observed);
    if plan.remove.contains(&its_pod()) {
        observed.pod = None;
    }
    for child in plan.apply {
        if let Child::Pod(pod) = child {
            observed.pod = Some(ready(pod.metadata));
        }
    }
    if plan.status.is_some() {
        squad(&mut observed, |squad| squad.status = plan.status);
    }
    let pod = observed.pod.clone();
    for agent in observed.members.iter_mut().filter_map(|member| member.agent.as_mut()) {
        let name = agent.agent.name_any();
        let membership = agent.squad.get_or_insert_with(|| panic!("{name} is alone"));
        membership.seat = pod.as_deref().and_then(|pod| pod.seats.get(&name).cloned());
        membership.pod.clone_from(&pod);
    }
    observed
}

/// The end of the squad's pod.
fn its_pod() -> Removal {
    Removal::Pod(Exactly { name: "crew-squad".into(), uid: "p1".into() })
}

/// A pod all of whose containers are ready.
fn ready(metadata: kube::api::ObjectMeta) -> Arc<AgentPod> {
    let mut pod = AgentPod::from(metadata);
    pod.metadata.uid = Some("p1".into());
    let containers = pod.seats.values().map(|seat| json!({ "name": seat.container, "ready": true }));
    let containers: Vec<_> = containers.collect();
    pod.status =
        serde_json::from_value(json!({ "phase": "Running", "podIP": "10.0.0.9", "containerStatuses": containers }))
            .unwrap();
    Arc::new(pod)
}

/// Gives the agent a task that is in this phase.
fn with_task(agent: &mut agent::Observed, phase: TaskPhase) {
    let task: KomputerTask = serde_json::from_value(json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerTask",
        "metadata": { "name": "work", "namespace": "team", "uid": "t1" },
        "spec": { "agentRef": { "name": agent.agent.name_any() }, "instructions": "work" },
    }))
    .unwrap();
    agent.tasks = vec![(Arc::new(task), phase)];
}

fn of<'a>(observed: &'a mut Observed, name: &str) -> &'a mut agent::Observed {
    let member = observed.members.iter_mut().find(|member| member.spec.name == name);
    member.and_then(|member| member.agent.as_mut()).unwrap()
}

fn works(observed: &mut Observed, name: &str, works: bool) {
    let agent = of(observed, name);
    agent.tasks.clear();
    if works {
        with_task(agent, TaskPhase::Running);
    }
}

fn sleeps(agent: &mut agent::Observed) {
    let lifecycle = json!({ "afterTask": "Sleep" });
    change(agent, |agent| agent.spec.lifecycle = serde_json::from_value(lifecycle).unwrap());
}

/// Who sits in the pod that there is.
fn seated(observed: &Observed) -> Vec<String> {
    observed.pod.iter().flat_map(|pod| pod.seats.keys().cloned()).collect()
}

/// Ready's reason, the second condition and the phase.
fn standing(plan: &Plan<KomputerSquadStatus>) -> (String, String, SquadPhase) {
    let status = plan.status.as_ref().expect("a status");
    let second = status.conditions.get(1).map(|second| second.type_.clone()).unwrap_or_default();
    (status.conditions[0].reason.clone(), second, status.phase.unwrap())
}

#[track_caller]
fn stands(observed: &Observed, reason: &str, second: &str, phase: SquadPhase) -> String {
    let mut observed = observed.clone();
    let before = observed.squad.status.clone();
    squad(&mut observed, |squad| {
        squad.status = before.map(|status| KomputerSquadStatus { conditions: vec![], ..status });
    });
    let plan = decide(&observed);
    assert_eq!(standing(&plan), (reason.into(), second.into(), phase));
    plan.status.unwrap().conditions[0].message.clone()
}
