//! What the installation decides for all agents.

/// What the installation decides for all agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The operator's own namespace, where cluster templates' Secrets live.
    pub namespace: String,
    /// The image of agents whose template names none.
    pub agent_image: String,
    /// Redis as agents reach it, `HOST:PORT`.
    pub agent_redis_address: String,
}
