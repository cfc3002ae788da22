//! Agent: a pod and its workspace while awake, the workspace alone while asleep.
mod build;
mod decide;
mod instructions;
mod observe;
mod pod_state;
mod status;
mod template;

pub use decide::decide;
pub use observe::{AgentController, Caches, Observed, prune_pod};
pub use template::{ModelKey, Resolved};
