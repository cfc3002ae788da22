use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::Resource;
use serde::Deserialize;

use super::{
    build::{MANIFEST_HASH, REPLACEMENT, TEMPLATE},
    seat::{SEATS, Seat},
};

/// A pod, as far as decisions read it: with a thousand of them, the rest would be most of the operator's memory.
#[derive(Resource, Deserialize, Clone, Debug, Default, PartialEq)]
#[resource(inherit = Pod)]
#[serde(from = "Wire")]
pub struct AgentPod {
    /// Whose it is. Its annotations are the fields below; a map of them would be as large as all the rest.
    pub metadata: ObjectMeta,
    /// The hash of all that it was made from.
    pub manifest_hash: Option<String>,
    /// The name of the template that it was made from, where it is one agent's.
    pub template: Option<String>,
    /// Whether it was made in the place of one that worked.
    pub is_replacement: bool,
    /// Who sits in it, by the agents' names; nobody where it is no shared one.
    pub seats: BTreeMap<String, Seat>,
    /// How it stands.
    pub status: AgentPodStatus,
}

/// A pod as the apiserver has it.
#[derive(Deserialize)]
struct Wire {
    metadata: ObjectMeta,
    #[serde(default)]
    status: AgentPodStatus,
}

impl From<Wire> for AgentPod {
    fn from(Wire { metadata, status }: Wire) -> Self {
        Self { status, ..Self::from(metadata) }
    }
}

impl From<ObjectMeta> for AgentPod {
    fn from(mut metadata: ObjectMeta) -> Self {
        let mut annotations = metadata.annotations.take().unwrap_or_default();
        let seats = annotations.get(SEATS).and_then(|seats| serde_json::from_str(seats).ok());
        Self {
            manifest_hash: annotations.remove(MANIFEST_HASH),
            template: annotations.remove(TEMPLATE),
            is_replacement: annotations.get(REPLACEMENT).is_some_and(|value| value == "true"),
            seats: seats.unwrap_or_default(),
            metadata,
            status: AgentPodStatus::default(),
        }
    }
}

/// How a pod stands.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentPodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: Option<String>,
    /// Why it is in that phase, like `Evicted`.
    pub reason: Option<String>,
    /// For people.
    pub message: Option<String>,
    /// Its address.
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// `PodScheduled` and `Ready` among others.
    pub conditions: Vec<AgentPodCondition>,
    /// How its containers stand.
    pub container_statuses: Vec<AgentContainerStatus>,
}

/// A condition of a pod.
#[derive(Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AgentPodCondition {
    /// Which.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// For people.
    #[serde(default)]
    pub message: Option<String>,
    /// Since when.
    #[serde(default)]
    pub last_transition_time: Option<Time>,
}

impl AgentPodStatus {
    /// Since when the pod has been ready, where it is.
    pub(super) fn ready_since(&self) -> Option<Timestamp> {
        let is_ready = |condition: &&AgentPodCondition| condition.type_ == "Ready" && condition.status == "True";
        Some(self.conditions.iter().find(is_ready)?.last_transition_time.as_ref()?.0)
    }
}

/// How a container stands.
#[derive(Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentContainerStatus {
    /// The container.
    #[serde(default)]
    pub name: String,
    /// Whether its server answers.
    #[serde(default)]
    pub ready: bool,
    /// Its state.
    pub state: AgentContainerState,
    /// Its state before it was last started.
    pub last_state: AgentContainerState,
    /// How often it was started again.
    pub restart_count: i32,
}

/// A container's state, as far as it is not running.
#[derive(Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct AgentContainerState {
    /// Why it does not run yet.
    pub waiting: Option<Waiting>,
    /// How it ended.
    pub terminated: Option<Terminated>,
}

/// How a container ended.
#[derive(Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// The kubelet's reason, like `OOMKilled`.
    pub reason: Option<String>,
    /// What its process ended with.
    pub exit_code: i32,
}

/// Why a container does not run yet.
#[derive(Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The kubelet's reason.
    #[serde(default)]
    pub reason: Option<String>,
    /// The kubelet's words.
    #[serde(default)]
    pub message: Option<String>,
}
