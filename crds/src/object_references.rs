//! What an object refers to: admission warns of what is not there, and the operator says so in a condition.
use serde_json::Value;

use crate::{DEFAULT_TEMPLATE, validate::Kind};

/// A reference to another object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The field that refers, like `spec.skills[0]`.
    pub field: String,
    /// What it refers to.
    pub target: Target,
    /// The namespace it names; nothing where it names none.
    pub namespace: Option<String>,
    /// The name it names.
    pub name: String,
}

/// What a reference is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A `KomputerAgent`.
    Agent,
    /// A `KomputerConnector`.
    Connector,
    /// A `KomputerMemory`.
    Memory,
    /// A Secret.
    Secret,
    /// A `KomputerSkill`.
    Skill,
    /// A `KomputerAgentTemplate` or, where there is none of that name, a `KomputerAgentClusterTemplate`.
    Template,
}

impl Target {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "KomputerAgent",
            Self::Connector => "KomputerConnector",
            Self::Memory => "KomputerMemory",
            Self::Secret => "Secret",
            Self::Skill => "KomputerSkill",
            Self::Template => "template",
        }
    }
}

/// All that a v1beta1 spec refers to, field by field.
pub fn references(kind: Kind, spec: &Value) -> Vec<Reference> {
    let mut found = Found(Vec::new());
    match kind {
        Kind::Agent => found.of_agent("spec", spec),
        Kind::Task => found.object("spec.agentRef", Target::Agent, spec.get("agentRef")),
        Kind::Office => {
            found.object("spec.managerRef", Target::Agent, spec.get("managerRef"));
            found.list("spec.templateRefs", Target::Template, spec.get("templateRefs"));
        }
        Kind::Schedule => match spec.get("agent") {
            Some(agent) => found.of_agent("spec.agent", agent),
            None => found.object("spec.agentRef", Target::Agent, spec.get("agentRef")),
        },
        Kind::Squad => {
            for (index, member) in spec.get("members").and_then(Value::as_array).into_iter().flatten().enumerate() {
                let field = format!("spec.members[{index}]");
                match member.get("template") {
                    Some(template) => found.of_agent(&format!("{field}.template"), template),
                    None => found.object(&field, Target::Agent, Some(member)),
                }
            }
        }
        Kind::Template | Kind::ClusterTemplate => {
            found.object("spec.model.apiKeySecretRef", Target::Secret, spec.pointer("/model/apiKeySecretRef"));
        }
        Kind::Connector => {
            found.object("spec.auth.secretKeyRef", Target::Secret, spec.pointer("/auth/secretKeyRef"));
        }
        Kind::Config => {
            found.object("spec.redis.passwordSecretRef", Target::Secret, spec.pointer("/redis/passwordSecretRef"));
        }
        Kind::Budget | Kind::Memory | Kind::Skill => {}
    }
    found.0
}

struct Found(Vec<Reference>);

impl Found {
    fn of_agent(&mut self, field: &str, spec: &Value) {
        let template = spec.pointer("/templateRef/name").and_then(Value::as_str).unwrap_or(DEFAULT_TEMPLATE);
        self.add(format!("{field}.templateRef"), Target::Template, None, template);
        self.object(&format!("{field}.managerRef"), Target::Agent, spec.get("managerRef"));
        for (list, target) in [
            ("secretRefs", Target::Secret),
            ("skills", Target::Skill),
            ("memories", Target::Memory),
            ("connectors", Target::Connector),
        ] {
            self.list(&format!("{field}.{list}"), target, spec.get(list));
        }
    }

    fn list(&mut self, field: &str, target: Target, list: Option<&Value>) {
        for (index, reference) in list.and_then(Value::as_array).into_iter().flatten().enumerate() {
            self.object(&format!("{field}[{index}]"), target, Some(reference));
        }
    }

    fn object(&mut self, field: &str, target: Target, reference: Option<&Value>) {
        let text = |name: &str| reference.and_then(|reference| reference.get(name)?.as_str());
        if let Some(name) = text("name") {
            self.add(field.into(), target, text("namespace"), name);
        }
    }

    fn add(&mut self, field: String, target: Target, namespace: Option<&str>, name: &str) {
        self.0.push(Reference { field, target, namespace: namespace.map(Into::into), name: name.into() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(kind: Kind, spec: &Value) -> Vec<String> {
        let text = |reference: Reference| {
            let namespace = reference.namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
            format!("{}: {} {namespace}{}", reference.field, reference.target.name(), reference.name)
        };
        references(kind, spec).into_iter().map(text).collect()
    }

    #[test]
    fn every_reference_is_named_where_it_is() {
        let agent = json!({
            "managerRef": { "name": "boss" }, "secretRefs": [{ "name": "github" }],
            "skills": [{ "name": "review", "namespace": "shared" }],
        });
        assert_eq!(
            fields(Kind::Agent, &agent),
            [
                "spec.templateRef: template default",
                "spec.managerRef: KomputerAgent boss",
                "spec.secretRefs[0]: Secret github",
                "spec.skills[0]: KomputerSkill shared/review",
            ]
        );
        let squad = json!({ "members": [{ "name": "ada" }, { "name": "b", "template": { "templateRef": { "name": "large" } } }] });
        let expected = ["spec.members[0]: KomputerAgent ada", "spec.members[1].template.templateRef: template large"];
        assert_eq!(fields(Kind::Squad, &squad), expected);
        let schedule = json!({ "agentRef": { "name": "ada" } });
        assert_eq!(fields(Kind::Schedule, &schedule), ["spec.agentRef: KomputerAgent ada"]);
        assert_eq!(fields(Kind::Agent, &json!("odd")), ["spec.templateRef: template default"]);
    }
}
