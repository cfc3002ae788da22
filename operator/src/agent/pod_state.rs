//! What a pod's status means for the agent in it.
use super::AgentPod;

/// How an agent's pod stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodState {
    /// On its way; the text says what it waits for.
    Starting(String),
    /// Its container cannot be made because something it refers to is missing.
    Lacks(String),
    /// Its server answers at this address.
    Ready {
        /// The pod's IP.
        ip: String,
    },
    /// Ended for good: evicted, or its node is gone.
    Over,
    /// Being deleted.
    Leaving,
}

/// What is said of a pod of which nothing else is known.
pub(super) const STARTING: &str = "The pod is starting";

/// Kubelet's reason for a container whose Secret or ConfigMap does not exist.
const CONFIG_ERROR: &str = "CreateContainerConfigError";

pub(super) fn of(pod: &AgentPod) -> PodState {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Leaving;
    }
    let status = &pod.status;
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        return PodState::Over;
    }
    let condition = |type_: &str| status.conditions.iter().find(|condition| condition.type_ == type_);
    if condition("Ready").is_some_and(|ready| ready.status == "True")
        && let Some(ip) = &status.pod_ip
    {
        return PodState::Ready { ip: ip.clone() };
    }
    let waiting = status.container_statuses.iter().find_map(|container| {
        let waiting = container.state.waiting.as_ref()?;
        Some((waiting.reason.clone()?, waiting.message.clone().unwrap_or_default()))
    });
    match (waiting, condition("PodScheduled").filter(|scheduled| scheduled.status == "False")) {
        (Some((reason, message)), _) if reason == CONFIG_ERROR => PodState::Lacks(message),
        (Some((reason, message)), _) if message.is_empty() => {
            PodState::Starting(format!("The pod is starting ({reason})"))
        }
        (Some((reason, message)), _) => PodState::Starting(format!("The pod is starting ({reason}: {message})")),
        (None, Some(unscheduled)) => {
            let why = unscheduled.message.as_deref().unwrap_or("no reason given");
            PodState::Starting(format!("The pod waits for a node ({why})"))
        }
        (None, None) => PodState::Starting(STARTING.into()),
    }
}
