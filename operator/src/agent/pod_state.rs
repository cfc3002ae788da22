//! What a pod's status means for the agent in it.
use std::time::Duration;

use jiff::Timestamp;

use super::{
    AgentPod,
    agent_pod::{AgentContainerStatus, AgentPodStatus},
};

/// How an agent's pod stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodState {
    /// On its way; the text says what it waits for.
    Starting(String),
    /// Its container cannot be made because something it refers to is missing.
    Lacks(String),
    /// It fails, and the kubelet tries again.
    Fails(Trouble),
    /// Its server answers at this address.
    Ready {
        /// The pod's IP.
        ip: String,
    },
    /// Ended for good: evicted, or refused by its node.
    Over(String),
    /// Being deleted, and to be gone by then where that is known.
    Leaving(Option<Timestamp>),
}

impl PodState {
    /// Whether it comes to nothing as it is: a change may be its remedy.
    pub(crate) fn cannot_work(&self) -> bool {
        matches!(self, Self::Lacks(_) | Self::Fails(_))
    }
}

/// What is wrong with a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of trouble.
    pub kind: TroubleKind,
    /// The details, in the kubelet's words.
    pub message: String,
}

/// Kinds of trouble: reasons of the agent's condition `Ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// The image is not there, or may not be pulled.
    ImageNotPulled,
    /// The container ends again and again, or cannot be made.
    Crashing,
    /// The container used more memory than it may.
    OutOfMemory,
    /// The node ended or refused the pod.
    PodFailed,
    /// The pod does not go although it was deleted.
    PodStuck,
}

impl TroubleKind {
    /// The reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImageNotPulled => "ImageNotPulled",
            Self::Crashing => "Crashing",
            Self::OutOfMemory => "OutOfMemory",
            Self::PodFailed => "PodFailed",
            Self::PodStuck => "PodStuck",
        }
    }
}

/// What is said of a pod of which nothing else is known.
pub(super) const STARTING: &str = "The pod is starting";

/// Kubelet's reason for a container whose Secret or ConfigMap does not exist.
const CONFIG_ERROR: &str = "CreateContainerConfigError";
/// Kubelet's reasons for an image that it cannot have
/// (<https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go>).
const IMAGE_ERRORS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "ImageInspectError",
    "SignatureValidationFailed",
];
/// Kubelet's reasons for a container that ends or cannot be made.
const CRASHES: [&str; 5] =
    ["CrashLoopBackOff", "CreateContainerError", "RunContainerError", "PreStartHookError", "PostStartHookError"];

/// How long after its grace period a deleted pod may still be there: kubelet's own work takes a few seconds.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn of(pod: &AgentPod) -> PodState {
    let is_ready = pod.status.conditions.iter().any(|found| found.type_ == "Ready" && found.status == "True");
    judge(pod, is_ready, |_| true)
}

/// How a shared pod stands for the agent whose container is called so; what becomes of the others is nothing to it.
pub(crate) fn of_container(pod: &AgentPod, name: &str) -> PodState {
    let own = |container: &AgentContainerStatus| container.name == name;
    let is_ready = pod.status.container_statuses.iter().any(|container| own(container) && container.ready);
    judge(pod, is_ready, own)
}

fn judge(pod: &AgentPod, is_ready: bool, counts: impl Fn(&AgentContainerStatus) -> bool) -> PodState {
    if let Some(deleted) = &pod.metadata.deletion_timestamp {
        return PodState::Leaving(deleted.0.checked_add(PATIENCE).ok());
    }
    let status = &pod.status;
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        let words = [&status.reason, &status.message].into_iter().flatten().cloned().collect::<Vec<_>>();
        return PodState::Over(if words.is_empty() { "its containers ended".into() } else { words.join(": ") });
    }
    if is_ready && let Some(ip) = &status.pod_ip {
        return PodState::Ready { ip: ip.clone() };
    }
    if let Some(waiting) = waiting(status, counts) {
        return waiting;
    }
    match status.conditions.iter().find(|found| found.type_ == "PodScheduled" && found.status == "False") {
        Some(unscheduled) => {
            let why = unscheduled.message.as_deref().unwrap_or("no reason given");
            PodState::Starting(format!("The pod waits for a node ({why})"))
        }
        None => PodState::Starting(STARTING.into()),
    }
}

/// What the first container waits for that counts and does not run.
fn waiting(status: &AgentPodStatus, counts: impl Fn(&AgentContainerStatus) -> bool) -> Option<PodState> {
    let mut containers = status.container_statuses.iter().filter(|container| counts(container));
    let (container, reason, message) = containers.find_map(|container| {
        let waiting = container.state.waiting.as_ref()?;
        Some((container, waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or_default()))
    })?;
    let words = if message.is_empty() { reason.into() } else { format!("{reason}: {message}") };
    Some(match reason {
        CONFIG_ERROR => PodState::Lacks(message.into()),
        _ if IMAGE_ERRORS.contains(&reason) => {
            PodState::Fails(Trouble { kind: TroubleKind::ImageNotPulled, message: words })
        }
        _ if CRASHES.contains(&reason) => PodState::Fails(crash(container, words)),
        _ => PodState::Starting(format!("The pod is starting ({words})")),
    })
}

fn crash(container: &AgentContainerStatus, words: String) -> Trouble {
    let Some(last) = &container.last_state.terminated else {
        return Trouble { kind: TroubleKind::Crashing, message: words };
    };
    let why = last.reason.as_deref().unwrap_or("Error");
    let kind = if why == "OOMKilled" { TroubleKind::OutOfMemory } else { TroubleKind::Crashing };
    let restarts = container.restart_count;
    Trouble { kind, message: format!("{why}, exit code {}, after {restarts} restarts", last.exit_code) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn state(status: Value) -> PodState {
        of(&AgentPod { status: serde_json::from_value(status).unwrap(), ..AgentPod::default() })
    }

    fn waits(reason: &str, last: &Value) -> PodState {
        let waiting = json!({ "waiting": { "reason": reason, "message": "as it says" } });
        state(json!({ "containerStatuses": [{ "state": waiting, "lastState": last, "restartCount": 3 }] }))
    }

    fn fails(kind: TroubleKind, message: &str) -> PodState {
        PodState::Fails(Trouble { kind, message: message.into() })
    }

    #[test]
    fn what_a_container_waits_for_is_told_apart() {
        let none = json!({});
        let ended = |why: &str, code: i32| json!({ "terminated": { "reason": why, "exitCode": code } });
        assert_eq!(waits("ErrImagePull", &none), fails(TroubleKind::ImageNotPulled, "ErrImagePull: as it says"));
        assert_eq!(waits("CreateContainerConfigError", &none), PodState::Lacks("as it says".into()));
        assert_eq!(waits("RunContainerError", &none), fails(TroubleKind::Crashing, "RunContainerError: as it says"));
        let crash = fails(TroubleKind::Crashing, "Error, exit code 101, after 3 restarts");
        assert_eq!(waits("CrashLoopBackOff", &ended("Error", 101)), crash);
        let memory = fails(TroubleKind::OutOfMemory, "OOMKilled, exit code 137, after 3 restarts");
        assert_eq!(waits("CrashLoopBackOff", &ended("OOMKilled", 137)), memory);
        let creating = "The pod is starting (ContainerCreating: as it says)";
        assert_eq!(waits("ContainerCreating", &none), PodState::Starting(creating.into()));
    }

    #[test]
    fn a_pod_that_ended_says_why() {
        let evicted = json!({ "phase": "Failed", "reason": "Evicted", "message": "low on memory" });
        assert_eq!(state(evicted), PodState::Over("Evicted: low on memory".into()));
        assert_eq!(state(json!({ "phase": "Failed" })), PodState::Over("its containers ended".into()));
    }
}
