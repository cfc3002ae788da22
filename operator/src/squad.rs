//! Squad: one pod for its members, which see each other's workspaces. Everything else of a member is the agent's
//! controller's, which makes no pod for an agent that a squad has.
mod decide;
mod members;
mod observe;
mod pod;
mod registry;
mod status;
#[cfg(test)]
mod tests;

pub use decide::decide;
pub use observe::{Member, Observed, SquadController};
pub use registry::{Registry, Squads};

/// What the pod of a squad is called.
pub fn shared_pod_name(squad: &str) -> String {
    format!("{squad}-squad")
}
