//! Templates: what agents are made from.
use komputer_crds::{
    object_references::Target,
    v1beta1::{
        KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerAgentTemplateStatus, NamespacedSecretKeyRef,
        Template,
    },
    validate::Kind,
};
use kube::{ResourceExt, runtime::reflector::ObjectRef};
use serde_json::Value;

use super::{
    attachments::Attachment,
    decide::{Declared, Verdict},
    world::World,
};
use crate::conditions::Progress;

/// What is known about a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many agents are made from it.
    pub(super) agents: usize,
    /// What its key's Secret lacks, as far as the operator may see.
    pub(super) lacking: Option<String>,
    /// The namespace whose Secret it names without a right to.
    pub(super) not_granted: Option<String>,
}

impl Declared for KomputerAgentTemplate {
    const KIND: Kind = Kind::Template;
    type Status = KomputerAgentTemplateStatus;
    type Facts = Facts;

    fn spec(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.spec)
    }

    fn status(&self) -> Option<&KomputerAgentTemplateStatus> {
        self.status.as_ref()
    }

    fn look(&self, world: &World) -> Facts {
        let (namespace, name) = (self.namespace().unwrap_or_default(), self.name_any());
        let elsewhere = key(&self.spec.template).and_then(|key| key.namespace.clone());
        let not_granted = elsewhere.filter(|other| *other != namespace);
        let agents = world.attachments.agents(&Attachment { target: Target::Template, namespace, name }).len();
        Facts { agents, lacking: None, not_granted }
    }

    fn judge(&self, facts: &Facts) -> Verdict<KomputerAgentTemplateStatus> {
        judge(facts, "its own namespace")
    }
}

impl Declared for KomputerAgentClusterTemplate {
    const KIND: Kind = Kind::ClusterTemplate;
    type Status = KomputerAgentTemplateStatus;
    type Facts = Facts;

    fn spec(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.spec)
    }

    fn status(&self) -> Option<&KomputerAgentTemplateStatus> {
        self.status.as_ref()
    }

    fn look(&self, world: &World) -> Facts {
        let name = self.name_any();
        let key = key(&self.spec.template);
        let not_granted = key.and_then(|key| key.namespace.clone()).filter(|other| *other != world.system);
        let lacking = key.filter(|_| not_granted.is_none()).and_then(|key| world.lacks(&key.name, &key.key));
        let has_own = |namespace: &str| world.templates.get(&ObjectRef::new(&name).within(namespace)).is_some();
        let users = world.attachments.template_users(&name).into_iter();
        let agents = users.filter(|(namespace, _)| !has_own(namespace)).map(|(_, count)| count).sum();
        Facts { agents, lacking, not_granted }
    }

    fn judge(&self, facts: &Facts) -> Verdict<KomputerAgentTemplateStatus> {
        judge(facts, "komputer's own namespace")
    }
}

fn key(template: &Template) -> Option<&NamespacedSecretKeyRef> {
    template.model.as_ref()?.api_key_secret_ref.as_ref()
}

fn judge(facts: &Facts, own: &str) -> Verdict<KomputerAgentTemplateStatus> {
    let agents = Some(i32::try_from(facts.agents).unwrap_or(i32::MAX));
    let status = KomputerAgentTemplateStatus { agents, ..Default::default() };
    let (progress, reason, message) = if let Some(other) = &facts.not_granted {
        let message =
            format!("spec.model.apiKeySecretRef: a Secret of namespace {other} is not granted; name one of {own}");
        (Progress::Stalled, "ReferenceNotGranted", message)
    } else if let Some(lacking) = &facts.lacking {
        let message = format!("spec.model.apiKeySecretRef: {lacking}");
        (Progress::Progressing, "DependencyNotReady", message)
    } else {
        (Progress::Done, "Available", "Agents can be made from it".into())
    };
    Verdict::new(progress, reason, message, status)
}
