//! Templates: what agents are made from.
use komputer_crds::{
    object_references::Target,
    v1beta1::{KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerAgentTemplateStatus},
    validate::Kind,
};
use kube::{ResourceExt, runtime::reflector::ObjectRef};

use super::{
    attachments::Attachment,
    decide::{Declared, Verdict},
    world::World,
};
use crate::{
    agent::{ModelKey, Resolved},
    conditions::Progress,
};

/// What is known about a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many agents are made from it.
    pub(super) agents: usize,
    /// Why agents of it get no key, as far as the operator may see.
    pub(super) without_key: Option<WithoutKey>,
}

/// Why agents get no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WithoutKey {
    /// A Secret of the operator's namespace, `namespace/name`, lacks the key of that name or does not exist.
    Missing { secret: String, key: String },
    /// The Secret is in a namespace that has not granted it.
    NotGranted { namespace: String },
}

impl WithoutKey {
    fn of(key: ModelKey, system: &str) -> Option<Self> {
        match key {
            ModelKey::None | ModelKey::InNamespace(_) | ModelKey::Copied(_) => None,
            ModelKey::Missing(found) => {
                Some(Self::Missing { secret: format!("{system}/{}", found.name), key: found.key })
            }
            ModelKey::NotGranted(found) => Some(Self::NotGranted { namespace: found.namespace.unwrap_or_default() }),
        }
    }
}

impl Declared for KomputerAgentTemplate {
    const KIND: Kind = Kind::Template;
    type Facts = Facts;

    fn look(&self, world: &World) -> Facts {
        let (namespace, name) = (self.namespace().unwrap_or_default(), self.name_any());
        let agents = world.attachments.agents(&Attachment { target: Target::Template, namespace, name }).len();
        Facts { agents, without_key: WithoutKey::of(Resolved::of_namespace(self).key, &world.system) }
    }

    fn judge(&self, facts: &Facts) -> Verdict<KomputerAgentTemplateStatus> {
        judge(facts, "its own namespace")
    }
}

impl Declared for KomputerAgentClusterTemplate {
    const KIND: Kind = Kind::ClusterTemplate;
    type Facts = Facts;

    fn look(&self, world: &World) -> Facts {
        let name = self.name_any();
        let key = Resolved::of_cluster(self, &world.system, |secret| world.secret(secret)).key;
        let has_own = |namespace: &str| world.templates.get(&ObjectRef::new(&name).within(namespace)).is_some();
        let users = world.attachments.template_users(&name).into_iter();
        let agents = users.filter(|(namespace, _)| !has_own(namespace)).map(|(_, count)| count).sum();
        Facts { agents, without_key: WithoutKey::of(key, &world.system) }
    }

    fn judge(&self, facts: &Facts) -> Verdict<KomputerAgentTemplateStatus> {
        judge(facts, "komputer's own namespace")
    }
}

fn judge(facts: &Facts, own: &str) -> Verdict<KomputerAgentTemplateStatus> {
    let agents = Some(i32::try_from(facts.agents).unwrap_or(i32::MAX));
    let status = KomputerAgentTemplateStatus { agents, ..Default::default() };
    let field = "spec.model.apiKeySecretRef";
    let (progress, reason, message) = match &facts.without_key {
        None => (Progress::Done, "Available", "Agents can be made from it".into()),
        Some(WithoutKey::Missing { secret, key }) => {
            let message = format!("{field}: Secret {secret}: key {key} is missing; create it, or name another");
            (Progress::Progressing, "DependencyNotReady", message)
        }
        Some(WithoutKey::NotGranted { namespace }) => {
            let message = format!("{field}: a Secret of namespace {namespace} is not granted; name one of {own}");
            (Progress::Stalled, "ReferenceNotGranted", message)
        }
    };
    Verdict::new(progress, reason, message, status)
}
