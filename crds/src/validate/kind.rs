/// A kind that has rules: each of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `KomputerAgent`.
    Agent,
    /// `KomputerBudget`.
    Budget,
    /// `KomputerAgentClusterTemplate`.
    ClusterTemplate,
    /// `KomputerConfig`.
    Config,
    /// `KomputerConnector`.
    Connector,
    /// `KomputerMemory`.
    Memory,
    /// `KomputerOffice`.
    Office,
    /// `KomputerSchedule`.
    Schedule,
    /// `KomputerSkill`.
    Skill,
    /// `KomputerSquad`.
    Squad,
    /// `KomputerTask`.
    Task,
    /// `KomputerAgentTemplate`.
    Template,
}

impl Kind {
    /// Every kind that has rules.
    pub const ALL: [Self; 12] = [
        Self::Agent,
        Self::Budget,
        Self::ClusterTemplate,
        Self::Config,
        Self::Connector,
        Self::Memory,
        Self::Office,
        Self::Schedule,
        Self::Skill,
        Self::Squad,
        Self::Task,
        Self::Template,
    ];

    /// The name in the API's paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Agent => "komputeragents",
            Self::Budget => "komputerbudgets",
            Self::ClusterTemplate => "komputeragentclustertemplates",
            Self::Config => "komputerconfigs",
            Self::Connector => "komputerconnectors",
            Self::Memory => "komputermemories",
            Self::Office => "komputeroffices",
            Self::Schedule => "komputerschedules",
            Self::Skill => "komputerskills",
            Self::Squad => "komputersquads",
            Self::Task => "komputertasks",
            Self::Template => "komputeragenttemplates",
        }
    }

    /// The name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "KomputerAgent",
            Self::Budget => "KomputerBudget",
            Self::ClusterTemplate => "KomputerAgentClusterTemplate",
            Self::Config => "KomputerConfig",
            Self::Connector => "KomputerConnector",
            Self::Memory => "KomputerMemory",
            Self::Office => "KomputerOffice",
            Self::Schedule => "KomputerSchedule",
            Self::Skill => "KomputerSkill",
            Self::Squad => "KomputerSquad",
            Self::Task => "KomputerTask",
            Self::Template => "KomputerAgentTemplate",
        }
    }

    /// Whether its objects live in namespaces.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::ClusterTemplate | Self::Config)
    }
}
