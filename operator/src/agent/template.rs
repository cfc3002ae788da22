//! The template an agent is made from, and the key it may use.
use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use komputer_crds::v1beta1::{
    KomputerAgentClusterTemplate, KomputerAgentTemplate, NamespacedSecretKeyRef, Template, TemplateKind,
};

use crate::keys::Sensitive;

/// A template that was found, with the key it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Where it was found.
    pub kind: TemplateKind,
    /// What it says.
    pub template: Template,
    /// How the agent gets its key.
    pub key: ModelKey,
}

/// How an agent gets the key of the Messages API.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelKey {
    /// The template names none.
    None,
    /// A Secret of the agent's own namespace, which the pod refers to.
    InNamespace(NamespacedSecretKeyRef),
    /// A Secret of the operator's namespace, named by a cluster template, whose value is copied for the agent.
    Copied(Sensitive),
    /// The same, and it does not exist or lacks the key.
    Missing(NamespacedSecretKeyRef),
    /// A Secret of a namespace that has not granted it.
    NotGranted(NamespacedSecretKeyRef),
}

impl Resolved {
    /// A namespace's template may only name Secrets of its namespace.
    pub fn of_namespace(template: &KomputerAgentTemplate) -> Self {
        let own = template.metadata.namespace.clone();
        let template = template.spec.template.clone();
        let key = key_ref(&template).map_or(ModelKey::None, |reference| match &reference.namespace {
            Some(namespace) if own.as_ref() != Some(namespace) => ModelKey::NotGranted(reference),
            _ => ModelKey::InNamespace(reference),
        });
        Self { kind: TemplateKind::KomputerAgentTemplate, template, key }
    }

    /// A cluster template names Secrets of the operator's namespace, `own`, which `secret` looks up.
    pub fn of_cluster(
        template: &KomputerAgentClusterTemplate,
        own: &str,
        secret: impl Fn(&str) -> Option<Secret>,
    ) -> Self {
        let template = template.spec.template.clone();
        let key = key_ref(&template).map_or(ModelKey::None, |reference| {
            if reference.namespace.as_ref().is_some_and(|namespace| namespace != own) {
                return ModelKey::NotGranted(reference);
            }
            let data = secret(&reference.name).and_then(|secret| secret.data);
            data.and_then(|data| value(&data, &reference.key)).map_or(ModelKey::Missing(reference), ModelKey::Copied)
        });
        Self { kind: TemplateKind::KomputerAgentClusterTemplate, template, key }
    }
}

fn key_ref(template: &Template) -> Option<NamespacedSecretKeyRef> {
    template.model.as_ref().and_then(|model| model.api_key_secret_ref.clone())
}

fn value(data: &BTreeMap<String, ByteString>, key: &str) -> Option<Sensitive> {
    let text = String::from_utf8(data.get(key)?.0.clone()).ok()?;
    Some(Sensitive::new(text.trim())).filter(|value| !value.reveal().is_empty())
}
