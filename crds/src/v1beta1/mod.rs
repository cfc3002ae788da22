//! The version that is stored and preferred.
mod agent;
mod budget;
mod config;
mod connector;
mod knowledge;
mod max_unavailable;
mod office;
mod reference;
mod schedule;
mod squad;
mod status;
mod task;
mod template;

pub use agent::{
    AfterTask, AgentPhase, BudgetShare, Effective, InstructionsStatus, KomputerAgent, KomputerAgentSpec,
    KomputerAgentStatus, LastTask, Lifecycle, PodFailure, Role, TaskAllowance, TaskCounts, TemplateKind,
};
pub use budget::{
    AgentSelector, BudgetAction, BudgetPeriod, BudgetPhase, KomputerBudget, KomputerBudgetSpec, KomputerBudgetStatus,
    LabelOperator, LabelRequirement,
};
pub use config::{ConfigRedis, KomputerConfig, KomputerConfigSpec, KomputerConfigStatus};
pub use connector::{
    AttachedStatus, AuthType, ConnectorAuth, KomputerConnector, KomputerConnectorSpec, StdioServer, Transport,
};
pub use knowledge::{KomputerMemory, KomputerMemorySpec, KomputerSkill, KomputerSkillSpec};
pub use max_unavailable::{MaxUnavailable, NoShare};
pub use office::{KomputerOffice, KomputerOfficeSpec, KomputerOfficeStatus, OfficeMember, OfficePhase};
pub use reference::{AgentRef, NamespacedRef, NamespacedSecretKeyRef, SecretKeyRef, SecretRef, TemplateRef};
pub use schedule::{
    AgentDeletionPolicy, ConcurrencyPolicy, KomputerSchedule, KomputerScheduleSpec, KomputerScheduleStatus,
    SchedulePhase, ScheduleRun, ScheduleTrigger, ScheduledTask,
};
pub use squad::{
    KomputerSquad, KomputerSquadSpec, KomputerSquadStatus, SquadMember, SquadMemberStatus, SquadPhase, WorkspaceAccess,
};
pub use status::{StatusConditions, Tokens};
pub use task::{KomputerTask, KomputerTaskSpec, KomputerTaskStatus, TaskMode, TaskPhase};
pub use template::{
    ImagePullPolicy, KomputerAgentClusterTemplate, KomputerAgentClusterTemplateSpec, KomputerAgentTemplate,
    KomputerAgentTemplateSpec, KomputerAgentTemplateStatus, ModelAccess, PodTemplate, Resources, Rollout, Storage,
    Template,
};
