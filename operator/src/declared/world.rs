use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentTemplate, KomputerConfig};
use kube::{
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};

use super::attachments::Attachments;

/// What is known beside the object itself.
#[derive(Clone)]
pub struct World {
    /// Every agent.
    pub agents: Store<KomputerAgent>,
    /// Which agents use what.
    pub attachments: Arc<Attachments>,
    /// Templates of namespaces.
    pub templates: Store<KomputerAgentTemplate>,
    /// Configs, of which one counts.
    pub configs: Store<KomputerConfig>,
    /// Namespaces.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Secrets of the operator's namespace.
    pub secrets: Store<Secret>,
    /// The operator's namespace.
    pub system: String,
    /// The Redis that the operator uses.
    pub redis: String,
}

impl World {
    pub(crate) fn namespace_is_going(&self, namespace: &str) -> bool {
        let found = self.namespaces.get(&ObjectRef::new(namespace));
        found.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some())
    }

    /// A Secret of the operator's namespace.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets.get(&ObjectRef::new(name).within(&self.system)).map(Arc::unwrap_or_clone)
    }

    /// What a Secret of the operator's namespace lacks, where it lacks it.
    pub(super) fn lacks(&self, secret: &str, key: &str) -> Option<String> {
        let place = format!("Secret {}/{secret}", self.system);
        match self.secret(secret) {
            None => Some(format!("{place} does not exist; create it with key {key}")),
            Some(found) if !found.data.as_ref().is_some_and(|data| data.contains_key(key)) => {
                Some(format!("{place}: key {key} is missing; add it"))
            }
            Some(_) => None,
        }
    }
}
