//! The version that is stored and preferred.
mod agent;
mod reference;
mod status;
mod task;
mod template;

pub use agent::{
    AfterTask, AgentPhase, InstructionsStatus, KomputerAgent, KomputerAgentSpec, KomputerAgentStatus, LastTask,
    Lifecycle, Role, TaskCounts,
};
pub use reference::{AgentRef, NamespacedRef, SecretKeyRef, SecretRef, TemplateRef};
pub use status::{StatusConditions, Tokens};
pub use task::{KomputerTask, KomputerTaskSpec, KomputerTaskStatus, TaskMode, TaskPhase};
pub use template::{
    ImagePullPolicy, KomputerAgentClusterTemplate, KomputerAgentClusterTemplateSpec, KomputerAgentTemplate,
    KomputerAgentTemplateSpec, ModelAccess, PodTemplate, Resources, Storage, Template,
};
