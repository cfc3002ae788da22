//! Rules that OpenAPI and CEL cannot decide, for the webhook that admits objects and the reconciler that works with them.
//!
//! They take objects as they come, read every field and name every cause at once. They need no cluster: what depends on
//! other objects is a warning of the webhook and a condition of the reconciler, never a cause.
mod agent;
mod cause;
mod container;
mod names;
mod pod;
mod security;
mod task;
mod template;
mod typed;
mod volume;

pub use cause::{Cause, Reason, message};
use serde_json::Value;

/// A kind that has rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `KomputerAgent`.
    Agent,
    /// `KomputerTask`.
    Task,
    /// `KomputerAgentTemplate`.
    Template,
    /// `KomputerAgentClusterTemplate`.
    ClusterTemplate,
}

impl Kind {
    /// Every kind that has rules.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Task, Self::Template, Self::ClusterTemplate];

    /// The name in the API's paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Agent => "komputeragents",
            Self::Task => "komputertasks",
            Self::Template => "komputeragenttemplates",
            Self::ClusterTemplate => "komputeragentclustertemplates",
        }
    }

    /// The name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "KomputerAgent",
            Self::Task => "KomputerTask",
            Self::Template => "KomputerAgentTemplate",
            Self::ClusterTemplate => "KomputerAgentClusterTemplate",
        }
    }
}

/// All that is wrong with a v1beta1 object.
pub fn causes(kind: Kind, object: &Value) -> Vec<Cause> {
    let Some(spec) = object.get("spec") else { return Vec::new() };
    let mut causes = Vec::new();
    match kind {
        Kind::Agent => agent::check(spec, &mut causes),
        Kind::Task => task::check(spec, &mut causes),
        Kind::Template | Kind::ClusterTemplate => template::check(spec, &mut causes),
    }
    causes
}

/// All that a change makes wrong: what was wrong before and has not been touched may stay, so that an object from before
/// a rule can still be changed elsewhere.
pub fn causes_of_change(kind: Kind, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = causes(kind, new);
    if !causes.is_empty() {
        let before = self::causes(kind, old);
        causes.retain(|cause| !before.iter().any(|known| known.is_same_as(cause)));
    }
    causes
}
