//! Nodes: pods start, crash, are evicted, go, or are on a node that nobody hears of any more.
use std::collections::{BTreeMap, BTreeSet};

use komputer_events::AgentId;
use serde_json::{Value, json};

use super::{
    agents::Agents,
    apiserver::{Apiserver, Place, mounts, seconds},
    random::Random,
    streams::Redis,
};
use crate::agent::Seat;

/// All nodes.
#[derive(Default)]
pub(super) struct Kubelet {
    /// Pods on nodes that nobody hears of, by their uids.
    lost: BTreeSet<String>,
    addresses: usize,
}

/// An agent's process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) agent: AgentId,
    pub(super) port: u16,
    pub(super) ip: String,
    /// The uid of its volume.
    pub(super) volume: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The pod that the agent of that uid is in.
pub(super) fn pod_of<'a>(etcd: &'a Apiserver, uid: &str) -> Option<(&'a Place, &'a Value)> {
    etcd.all("pods").find(|(place, pod)| {
        let owner = &pod["metadata"]["ownerReferences"][0];
        owner["uid"] == *uid || inhabitants(place, pod).iter().any(|(_, seat)| seat.uid == *uid)
    })
}

/// Who is in a pod: by name, with the container and the port.
pub(super) fn inhabitants(place: &Place, pod: &Value) -> Vec<(String, Seat)> {
    let seats = pod["metadata"]["annotations"][crate::agent::SEATS].as_str();
    let seats: BTreeMap<String, Seat> = seats.and_then(|seats| serde_json::from_str(seats).ok()).unwrap_or_default();
    if !seats.is_empty() {
        return seats.into_iter().collect();
    }
    let template = text(&pod["metadata"]["annotations"][crate::agent::TEMPLATE]);
    vec![(place.2.clone(), Seat { uid: String::new(), container: "agent".into(), port: 8000, template })]
}

impl Kubelet {
    /// Something happens to one pod. Answers whether it did; where nothing is to go wrong, nothing does.
    pub(super) fn step(
        &mut self,
        etcd: &mut Apiserver,
        agents: &mut Agents,
        redis: &Redis,
        random: &mut Random,
        is_calm: bool,
    ) -> bool {
        let pods: Vec<_> = etcd.all("pods").map(|(place, pod)| (place.clone(), pod.clone())).collect();
        if is_calm {
            return pods.iter().any(|(place, pod)| self.care_for(etcd, agents, redis, place, pod));
        }
        if pods.is_empty() {
            return false;
        }
        let (place, pod) = &pods[random.below(pods.len())];
        let is_up = pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
        match random.below(100) {
            0..=1 if is_up => evict(etcd, place),
            2..=3 if is_up => self.lose(etcd, place, pod),
            4..=7 if is_up => crash(etcd, place),
            _ => return !self.is_lost(pod) && self.care_for(etcd, agents, redis, place, pod),
        }
        true
    }

    fn is_lost(&self, pod: &Value) -> bool {
        self.lost.contains(&text(&pod["metadata"]["uid"]))
    }

    /// Lost nodes come back without their pods.
    pub(super) fn find_nodes(&mut self) {
        self.lost.clear();
    }

    /// Does for a pod what is to be done.
    fn care_for(
        &mut self,
        etcd: &mut Apiserver,
        agents: &mut Agents,
        redis: &Redis,
        place: &Place,
        pod: &Value,
    ) -> bool {
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            if pod["status"]["phase"] == "Running" {
                for process in self.processes_of(etcd, place, pod) {
                    let workspace = agents.open(&process.volume, &process.agent, "");
                    redis.0.lock().unwrap().publish(workspace);
                }
            }
            etcd.remove(place);
            return true;
        }
        let phase = text(&pod["status"]["phase"]);
        if phase == "Failed" {
            return false;
        }
        let is_ready = pod["status"]["conditions"][0]["status"] == "True";
        if phase == "Running" && is_ready {
            return false;
        }
        self.start(etcd, agents, place, pod)
    }

    /// Starts a pod, where there is all that it refers to, and no other pod has its volumes.
    fn start(&mut self, etcd: &mut Apiserver, agents: &mut Agents, place: &Place, pod: &Value) -> bool {
        let inhabitants = inhabitants(place, pod);
        for (name, seat) in &inhabitants {
            if etcd.get("secrets", &place.1, &format!("komputer-agent-{name}")).is_none() {
                let waiting = json!({ "reason": "CreateContainerConfigError", "message": format!("secret komputer-agent-{name} not found") });
                let containers = json!([{ "name": seat.container, "ready": false, "state": { "waiting": waiting } }]);
                let before = etcd.objects[place].clone();
                etcd.change(place, |pod| {
                    pod["status"] = json!({ "phase": "Pending", "containerStatuses": containers });
                });
                return etcd.objects[place] != before;
            }
            let Some(volume) = etcd.get("persistentvolumeclaims", &place.1, name) else { return false };
            let is_taken = etcd.all("pods").any(|(other, found)| {
                other != place && other.1 == place.1 && mounts(found, name) && found["status"]["phase"] == "Running"
            });
            if is_taken || !volume["metadata"]["deletionTimestamp"].is_null() && pod["status"].is_null() {
                return false;
            }
        }
        self.addresses += 1;
        let ip = match pod["status"]["podIP"].as_str() {
            Some(ip) => ip.to_owned(),
            None => format!("10.{}.{}.{}", self.addresses / 65_536, self.addresses / 256 % 256, self.addresses % 256),
        };
        for (name, seat) in &inhabitants {
            let volume = text(&etcd.get("persistentvolumeclaims", &place.1, name).unwrap()["metadata"]["uid"]);
            let uid = pod_agent_uid(etcd, place, name);
            agents.start(&volume, &AgentId::new(&place.1, name).unwrap(), &uid, is_manager(pod, &seat.container));
        }
        let containers = inhabitants.iter().map(|(_, seat)| json!({ "name": seat.container, "ready": true }));
        let containers: Vec<_> = containers.collect();
        let since = seconds(etcd.now);
        let ready = json!({ "type": "Ready", "status": "True", "lastTransitionTime": since });
        let status = json!({ "phase": "Running", "podIP": ip, "conditions": [ready], "containerStatuses": containers });
        etcd.change(place, |pod| pod["status"] = status);
        true
    }

    fn lose(&mut self, etcd: &mut Apiserver, place: &Place, pod: &Value) {
        self.lost.insert(text(&pod["metadata"]["uid"]));
        etcd.change(place, unready);
        etcd.delete(place, None);
    }

    /// The processes that run.
    pub(super) fn processes(&self, etcd: &Apiserver) -> Vec<Process> {
        let up = etcd.all("pods").filter(|(_, pod)| {
            pod["metadata"]["deletionTimestamp"].is_null() && pod["status"]["conditions"][0]["status"] == "True"
        });
        up.flat_map(|(place, pod)| self.processes_of(etcd, place, pod)).collect()
    }

    fn processes_of(&self, etcd: &Apiserver, place: &Place, pod: &Value) -> Vec<Process> {
        if self.is_lost(pod) {
            return Vec::new();
        }
        let process = |(name, seat): (String, Seat)| {
            let volume = etcd.get("persistentvolumeclaims", &place.1, &name)?;
            let (agent, ip) = (AgentId::new(&place.1, &name).ok()?, text(&pod["status"]["podIP"]));
            Some(Process { agent, port: seat.port, ip, volume: text(&volume["metadata"]["uid"]) })
        };
        inhabitants(place, pod).into_iter().filter_map(process).collect()
    }
}

/// Whose agent a volume is: that of its owner.
fn pod_agent_uid(etcd: &Apiserver, place: &Place, name: &str) -> String {
    let volume = etcd.get("persistentvolumeclaims", &place.1, name).unwrap();
    text(&volume["metadata"]["ownerReferences"][0]["uid"])
}

fn is_manager(pod: &Value, container: &str) -> bool {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let own = containers.filter(|found| found["name"] == container);
    own.filter_map(|found| found["env"].as_array()).flatten().any(|variable| variable["name"] == "KOMPUTER_MANAGER")
}

fn evict(etcd: &mut Apiserver, place: &Place) {
    etcd.change(place, |pod| pod["status"] = json!({ "phase": "Failed", "reason": "Evicted" }));
}

fn unready(pod: &mut Value) {
    pod["status"]["conditions"][0]["status"] = "False".into();
    for container in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        container["ready"] = false.into();
    }
}

/// Its containers end, and are started again.
fn crash(etcd: &mut Apiserver, place: &Place) {
    etcd.change(place, |pod| {
        unready(pod);
        for container in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
            container["state"] = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
            container["lastState"] = json!({ "terminated": { "reason": "Error", "exitCode": 1 } });
        }
    });
}
