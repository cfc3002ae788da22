//! The version of the system before komputer, served so that its YAML and its clients keep working.
mod agent;
mod config;
mod connector;
mod knowledge;
mod office;
mod schedule;
mod schema;
mod squad;
mod status;
mod template;
pub mod words;

pub use agent::{KomputerAgent, KomputerAgentSpec, Lifecycle, Role, Storage};
pub use config::{ConfigRedis, KomputerConfig, KomputerConfigSpec};
pub use connector::{AuthType, ConnectorType, KomputerConnector, KomputerConnectorSpec, SecretKeySelector};
pub use knowledge::{KomputerMemory, KomputerMemorySpec, KomputerSkill, KomputerSkillSpec};
pub use office::{KomputerOffice, KomputerOfficeSpec, KomputerOfficeStatus, OfficeMember};
pub use schedule::{KomputerSchedule, KomputerScheduleSpec, KomputerScheduleStatus, ScheduledAgent};
pub use squad::{
    KomputerSquad, KomputerSquadSpec, KomputerSquadStatus, SquadMember, SquadMemberRef, SquadMemberStatus,
};
pub use status::{AttachedStatus, ConditionsStatus, KomputerAgentStatus};
pub use template::{
    KomputerAgentClusterTemplate, KomputerAgentClusterTemplateSpec, KomputerAgentTemplate, KomputerAgentTemplateSpec,
    NamespacedSecretKeyRef, Template,
};
