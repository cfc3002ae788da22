//! v1alpha1's words for what v1beta1 says, in its statuses and at the api alike.
use crate::v1beta1::AgentPhase;

/// An agent's phase.
pub fn phase(phase: AgentPhase) -> &'static str {
    match phase {
        AgentPhase::Pending | AgentPhase::Starting | AgentPhase::Deleting => "Pending",
        AgentPhase::Queued => "Queued",
        AgentPhase::Idle | AgentPhase::Working => "Running",
        AgentPhase::Sleeping | AgentPhase::Suspended => "Sleeping",
        AgentPhase::Finished => "Succeeded",
        AgentPhase::Failed => "Failed",
    }
}

/// How an agent's last task stands, by the phase that v1beta1 says it is in.
pub fn task_status(phase: &str) -> &'static str {
    match phase {
        "Running" => "InProgress",
        "Failed" => "Error",
        _ => "Complete",
    }
}
