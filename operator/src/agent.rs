//! Agent: a pod and its workspace while awake, the workspace alone while asleep.
mod agent_pod;
mod agent_volume;
mod alike;
mod build;
mod connectors;
mod decide;
mod effective;
mod instructions;
mod knowledge;
mod observe;
mod places;
mod pod_failure;
mod pod_state;
mod rest;
mod rollout;
mod seat;
mod spending;
mod status;
mod template;
mod waves;
mod workspace;

pub use agent_pod::AgentPod;
pub use agent_volume::AgentVolume;
pub(crate) use alike::Alike;
pub use build::MANIFEST_HASH;
#[cfg(test)]
pub(crate) use build::TEMPLATE;
pub(crate) use build::{SeatedAgent, differs, metadata_of_shared_pod, shared_labels, shared_pod};
pub(crate) use connectors::unusable;
pub use decide::decide;
pub(crate) use decide::{Attendance, address_of, attendance, namespace, prepare};
pub(crate) use instructions::task_of_instructions;
pub use knowledge::{Knowledge, Lesson, Source};
pub use observe::{AgentController, Caches, Observed};
pub use places::{Doubts, Limit, Making, Place, Places};
pub(crate) use pod_failure::{Ended, ended, recover};
pub(crate) use pod_state::{PodState, of as pod_state, of_container};
pub(crate) use rollout::chosen as rollout_of;
#[cfg(test)]
pub(crate) use seat::SEATS;
pub use seat::{Membership, Seat};
pub(crate) use status::template_name;
pub use template::{ModelKey, Resolved};
pub use waves::{Replacement, Waves};
