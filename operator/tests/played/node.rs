//! Plays the kubelet, and what provisions volumes.
use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use komputer_crds::v1beta1::KomputerAgent;
use komputer_events::{AgentId, task::PORT};
use komputer_operator::agent::AgentPod;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::agents::{Agents, Process};

/// A process, and the uid of the volume that it works on.
struct Mounted {
    volume: String,
    _process: Process,
}

/// Runs every pod that comes, for ever.
pub async fn run_pods(client: Client, agents: Agents) {
    let mut running = HashMap::<String, Vec<Mounted>>::new();
    let mut count = 0;
    let network = 16 + std::process::id() % 200; // other suites may run beside
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        provision(&client).await;
        let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default().match_any()).await.unwrap();
        running.retain(|uid, _| pods.iter().any(|pod| pod.metadata.uid.as_ref() == Some(uid) && !has_ended(pod)));
        for pod in pods {
            let is_over = phase(&pod) == Some("Failed") || pod.metadata.deletion_timestamp.is_some();
            if is_over || running.contains_key(&pod.uid().unwrap()) {
                continue;
            }
            count += 1;
            let ip = format!("127.{network}.{}.{}", count / 200, 1 + count % 200);
            if let Some(processes) = start(&client, &agents, &running, &pod, &ip).await {
                say_ready(&client, &pod, &ip).await;
                running.insert(pod.uid().unwrap(), processes);
            }
        }
    }
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

/// Whether somebody has ended what runs in it.
fn has_ended(pod: &Pod) -> bool {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    phase(pod) == Some("Failed") || containers.into_iter().any(|container| !container.ready)
}

/// The agents of a pod; nothing where one of them is gone by now, or its volume is another pod's and lets in only one.
async fn start(
    client: &Client,
    agents: &Agents,
    running: &HashMap<String, Vec<Mounted>>,
    pod: &Pod,
    ip: &str,
) -> Option<Vec<Mounted>> {
    let namespace = pod.namespace().unwrap();
    let objects = Api::<KomputerAgent>::namespaced(client.clone(), &namespace);
    let volumes = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &namespace);
    let seats = AgentPod::from(pod.metadata.clone()).seats.into_iter().map(|(name, seat)| (name, seat.port));
    let mut places: BTreeMap<String, u16> = seats.collect();
    if places.is_empty() {
        places.insert(pod.name_any(), PORT);
    }
    let mut processes = Vec::new();
    for (name, port) in places {
        let uid = objects.get_opt(&name).await.unwrap()?.uid().unwrap();
        let claim = volumes.get_opt(&name).await.unwrap()?;
        let volume = claim.uid().unwrap();
        let modes = claim.spec.and_then(|spec| spec.access_modes).unwrap_or_default();
        let is_taken = running.values().flatten().any(|mounted| mounted.volume == volume);
        if is_taken && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
            return None;
        }
        let address: SocketAddr = format!("{ip}:{port}").parse().unwrap();
        let process = agents.start(AgentId::new(&namespace, &name).unwrap(), uid, volume.clone(), address).await;
        processes.push(Mounted { volume, _process: process });
    }
    Some(processes)
}

async fn say_ready(client: &Client, pod: &Pod, ip: &str) {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers).map(|container| {
        json!({
            "name": container.name, "ready": true, "image": "i", "imageID": "i", "restartCount": 0,
            "state": { "running": {} },
        })
    });
    let status = json!({ "status": {
        "phase": "Running", "podIP": ip, "conditions": [{ "type": "Ready", "status": "True" }],
        "containerStatuses": containers.collect::<Vec<_>>(),
    } });
    let pods = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap());
    // One that is gone meanwhile needs none.
    let _ = pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await;
}

/// Gives every claim what it asks for.
async fn provision(client: &Client) {
    let claims =
        Api::<PersistentVolumeClaim>::all(client.clone()).list(&ListParams::default().match_any()).await.unwrap();
    for claim in claims {
        let asked = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.clone()).unwrap_or_default();
        if claim.status.as_ref().and_then(|status| status.capacity.clone()) == Some(asked.clone()) {
            continue;
        }
        let bound = json!({ "status": { "phase": "Bound", "capacity": asked } });
        let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &claim.namespace().unwrap());
        let _ = claims.patch_status(&claim.name_any(), &PatchParams::default(), &Patch::Merge(&bound)).await;
    }
}
