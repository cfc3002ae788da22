//! Agent: a pod and its workspace while awake, the workspace alone while asleep.
mod agent_pod;
mod agent_volume;
mod build;
mod decide;
mod instructions;
mod knowledge;
mod observe;
mod places;
mod pod_failure;
mod pod_state;
mod rest;
mod rollout;
mod status;
mod template;
mod workspace;

pub use agent_pod::AgentPod;
pub use agent_volume::AgentVolume;
pub use build::{MANIFEST_HASH, TEMPLATE};
pub use decide::decide;
pub use knowledge::{Knowledge, Lesson, Source};
pub use observe::{AgentController, Caches, Observed};
pub use places::{Doubts, Limit, Place, Places};
pub use template::{ModelKey, Resolved};
