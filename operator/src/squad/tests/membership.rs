//! Who belongs where, by what the caches have.
use komputer_events::AgentId;
use kube::runtime::{
    reflector::{self, store::Writer},
    watcher::Event,
};

use super::*;
use crate::{
    squad::{Registry, Squads},
    watch::{Change, Watched},
};

struct Cluster {
    squads: Squads,
    squad_writer: Writer<KomputerSquad>,
    agent_writer: Writer<KomputerAgent>,
    pods: reflector::Store<AgentPod>,
    pod_writer: Writer<AgentPod>,
}

fn apply<K: Watched>(writer: &mut Writer<K>, object: K, change: Change) {
    writer.apply_watcher_event(&match change {
        Change::Applied => Event::Apply(object),
        Change::Deleted => Event::Delete(object),
    });
}

impl Cluster {
    fn new() -> Self {
        let ((store, squad_writer), (agents, agent_writer)) = (reflector::store(), reflector::store());
        let (pods, pod_writer) = reflector::store();
        let squads = Squads { registry: Arc::<Registry>::default(), store, agents };
        Self { squads, squad_writer, agent_writer, pods, pod_writer }
    }

    fn squad(&mut self, name: &str, day: u8, spec: &Value, change: Change) {
        let created = format!("2026-01-0{day}T00:00:00Z");
        let squad: KomputerSquad = serde_json::from_value(json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSquad", "spec": spec,
            "metadata": { "name": name, "namespace": "team", "uid": name, "creationTimestamp": created },
        }))
        .unwrap();
        self.squads.registry.squad_changed(&squad, change);
        apply(&mut self.squad_writer, squad, change);
    }

    fn pod(&mut self, squad: &str, agent: &str, change: Change) {
        let seats = json!({ agent: { "container": agent, "port": 8003, "template": "default" } }).to_string();
        let owner = json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSquad", "name": squad, "uid": squad,
            "controller": true,
        });
        let pod: AgentPod = serde_json::from_value(json!({ "metadata": {
            "name": format!("{squad}-squad"), "namespace": "team", "ownerReferences": [owner],
            "annotations": { "komputer.ai/seats": seats },
        } }))
        .unwrap();
        self.squads.registry.pod_changed(&pod, change);
        apply(&mut self.pod_writer, pod, change);
    }

    /// The squad, whether it is a member, and its port.
    fn membership(&self) -> Option<(String, bool, Option<u16>)> {
        let found = self.squads.membership(&AgentId::new("team", "ada").unwrap(), &self.pods)?;
        Some((found.squad, found.stays, found.seat.map(|seat| seat.port)))
    }
}

#[test]
fn a_squad_that_is_to_make_an_agent_has_none_that_is_anothers() {
    let mut cluster = Cluster::new();
    let makes = json!({ "members": [{ "name": "ada", "template": {} }] });
    cluster.squad("crew", 1, &makes, Change::Applied);
    assert_eq!(cluster.membership(), Some(("crew".into(), true, None)), "it is about to make it");
    let agent = |owners: Value| -> KomputerAgent {
        serde_json::from_value(json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "spec": {},
            "metadata": { "name": "ada", "namespace": "team", "ownerReferences": owners },
        }))
        .unwrap()
    };
    apply(&mut cluster.agent_writer, agent(json!([])), Change::Applied);
    assert_eq!(cluster.membership(), None, "it goes its own way, and the squad says what is wrong");
    let owner = json!([{
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSquad", "name": "crew", "uid": "crew",
        "controller": true,
    }]);
    apply(&mut cluster.agent_writer, agent(owner), Change::Applied);
    assert_eq!(cluster.membership(), Some(("crew".into(), true, None)));
    cluster.squad("other", 2, &with("ada"), Change::Applied);
    assert_eq!(cluster.membership(), Some(("crew".into(), true, None)));
}

fn with(name: &str) -> Value {
    json!({ "members": [{ "name": name }] })
}

#[test]
fn of_two_squads_the_older_has_an_agent_until_it_leaves() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.membership(), None);
    cluster.squad("young", 2, &with("ada"), Change::Applied);
    assert_eq!(cluster.membership(), Some(("young".into(), true, None)));
    cluster.squad("old-squad", 1, &with("ada"), Change::Applied);
    assert_eq!(cluster.membership(), Some(("old-squad".into(), true, None)));
    cluster.pod("old-squad", "ada", Change::Applied);
    assert_eq!(cluster.membership(), Some(("old-squad".into(), true, Some(8003))));

    // It left, and sits there until the pod goes.
    cluster.squad("old-squad", 1, &with("bob"), Change::Applied);
    assert_eq!(cluster.membership(), Some(("old-squad".into(), false, Some(8003))));
    cluster.pod("old-squad", "ada", Change::Deleted);
    assert_eq!(cluster.membership(), Some(("young".into(), true, None)));
    cluster.squad("young", 2, &with("ada"), Change::Deleted);
    assert_eq!(cluster.membership(), None);
}

#[test]
fn a_squad_that_is_broken_up_has_nobody_and_lets_nobody_begin() {
    let mut cluster = Cluster::new();
    cluster.squad("crew", 1, &with("ada"), Change::Applied);
    cluster.pod("crew", "ada", Change::Applied);
    let begins = |cluster: &Cluster| {
        cluster.squads.membership(&AgentId::new("team", "ada").unwrap(), &cluster.pods).map(|found| found.begins)
    };
    assert_eq!(begins(&cluster), Some(true));
    cluster.squad("crew", 1, &json!({ "members": [{ "name": "ada" }], "breakUp": true }), Change::Applied);
    assert_eq!((cluster.membership(), begins(&cluster)), (Some(("crew".into(), false, Some(8003))), Some(false)));
}
