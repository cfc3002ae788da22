use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use komputer_crds::v1beta1::KomputerAgent;
use kube::ResourceExt;

use super::child_of;
use crate::{
    agent::template::ModelKey,
    keys::{Audience, MasterKey},
};

/// The key of the token that the agent's server accepts.
pub(super) const TOKEN: &str = "agent-token";
/// The key of what only the agent can open.
pub(super) const SEALING_KEY: &str = "sealing-key";
/// The key of the agent's Redis password.
pub(super) const REDIS_PASSWORD: &str = "redis-password";
/// The key of a copied API key.
pub(super) const API_KEY: &str = "anthropic-api-key";

/// Its name: not the agent's own, which a Secret of the namespace's people could have.
pub(super) fn name(agent: &KomputerAgent) -> String {
    format!("komputer-agent-{}", agent.name_any())
}

/// What the agent's process needs to know and nobody else may.
pub(in crate::agent) fn secret(agent: &KomputerAgent, key: &ModelKey, master: &MasterKey) -> Secret {
    let uid = agent.metadata.uid.as_deref().unwrap_or_default();
    let own = [(TOKEN, Audience::AgentHttp), (SEALING_KEY, Audience::Sealed), (REDIS_PASSWORD, Audience::Redis)];
    let mut data: BTreeMap<String, String> =
        own.map(|(key, audience)| (key.into(), master.derive(audience, uid).reveal().into())).into();
    if let ModelKey::Copied(value) = key {
        data.insert(API_KEY.into(), value.reveal().into());
    }
    Secret {
        metadata: child_of(agent, name(agent), BTreeMap::new()),
        string_data: Some(data),
        type_: Some("komputer.ai/agent".into()),
        ..Default::default()
    }
}
