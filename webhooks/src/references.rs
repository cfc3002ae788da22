//! What an object refers to and is not there: a warning, never a refusal, because Git applies in any order.
mod known;
mod objects;

use komputer_crds::{
    object_references::{Reference, Target, references},
    validate::{Cause, Kind, circle, managers},
};
use serde_json::Value;

pub(crate) use objects::AgentFacts;
pub use objects::Objects;

/// Looks up what objects refer to. Secrets are not asked for: who may know whether one exists may read them all.
pub struct References(Objects);

impl References {
    /// With the objects that are known.
    pub fn new(objects: Objects) -> Self {
        Self(objects)
    }

    /// What is wrong with what an object refers to: an agent cannot be above itself.
    pub(crate) fn cause(&self, kind: Kind, namespace: &str, name: &str, object: &Value) -> Option<Cause> {
        let own = object.pointer("/spec/managerRef/name").and_then(Value::as_str).filter(|_| kind == Kind::Agent)?;
        let manager_of = |agent: &str| {
            if agent == name { Some(own.to_owned()) } else { self.0.manager(namespace, agent) }
        };
        circle(name, &managers(name, manager_of))
    }

    /// A warning for each member that another squad has too: one of the two gives way, and Git may move it in any order.
    pub(crate) fn shared(&self, kind: Kind, namespace: &str, name: &str, object: &Value) -> Vec<String> {
        let members = object.pointer("/spec/members").and_then(Value::as_array).filter(|_| kind == Kind::Squad);
        let members = members.into_iter().flatten().enumerate().filter_map(|(index, member)| {
            let member = member.get("name")?.as_str()?;
            let other = self.0.other_squad(namespace, name, member)?;
            Some(cut(&format!(
                "spec.members[{index}]: {member} is in KomputerSquad {other} too; the older squad keeps it"
            )))
        });
        members.collect()
    }

    /// The agents that are made from a template, as far as they are known.
    pub(crate) fn agents_of(&self, kind: Kind, namespace: &str, template: &str) -> Vec<AgentFacts> {
        self.0.agents_of(kind, namespace, template)
    }

    /// A warning for each reference to something that is known not to be there.
    pub(crate) fn missing(&self, kind: Kind, own: &str, object: &Value) -> Vec<String> {
        let found = object.get("spec").map(|spec| references(kind, spec)).unwrap_or_default();
        let is_missing = |reference: &&Reference| {
            let namespace = reference.namespace.as_deref().unwrap_or(own);
            self.0.exists(reference.target, namespace, &reference.name) == Some(false)
        };
        found.iter().filter(is_missing).map(|reference| warning(reference, own)).collect()
    }
}

/// Longer ones may be cut on their way.
const MAX_WARNING: usize = 120;

pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_WARNING) {
        Some(_) => text.chars().take(MAX_WARNING - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Says where what is missing, cut so that the whole fits.
fn warning(reference: &Reference, own: &str) -> String {
    let Reference { field, target, namespace, name } = reference;
    let place = match (target, namespace) {
        (Target::Template, _) => "here or in the cluster".into(),
        (_, Some(namespace)) if namespace != own => format!("in namespace {namespace}"),
        _ => "in this namespace".to_owned(),
    };
    let whole = |name: &str| format!("{field}: no {} {name:?} {place}; it is waited for", target.name());
    let room = MAX_WARNING.saturating_sub(whole("").chars().count());
    match name.char_indices().nth(room) {
        Some(_) => whole(&name.chars().take(room.saturating_sub(1)).chain(['…']).collect::<String>()),
        None => whole(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_short_whatever_the_name() {
        let reference = |name: &str, namespace: Option<&str>| Reference {
            field: "spec.skills[3]".into(),
            target: Target::Skill,
            namespace: namespace.map(Into::into),
            name: name.into(),
        };
        assert_eq!(
            warning(&reference("review", None), "team"),
            "spec.skills[3]: no KomputerSkill \"review\" in this namespace; it is waited for"
        );
        assert_eq!(
            warning(&reference("review", Some("shared")), "team"),
            "spec.skills[3]: no KomputerSkill \"review\" in namespace shared; it is waited for"
        );
        assert_eq!(warning(&reference(&"a".repeat(253), None), "team").chars().count(), MAX_WARNING);
    }
}
