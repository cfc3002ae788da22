//! Which memories, skills and connectors an agent has. Content is read when it is handed over: nobody needs it before.
use komputer_crds::{
    object_references::Target,
    v1beta1::{KomputerAgent, NamespacedRef},
};
use kube::{Resource, ResourceExt, runtime::reflector::ObjectRef};

use super::{caches::Caches, connectors::unusable};

/// A memory, a skill or a connector, in a version of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// Which of them.
    pub lesson: Lesson,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Another object of its name has another.
    pub uid: String,
    /// Changes with its spec.
    pub generation: i64,
}

/// What can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lesson {
    /// A `KomputerMemory`.
    Memory,
    /// A `KomputerSkill`.
    Skill,
    /// A `KomputerConnector`, of which it knows the name.
    Connector,
}

/// What an agent is to know, as far as there is all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// All of it is there.
    Complete(Vec<Source>),
    /// Something is not there; the text says what.
    Lacks(String),
    /// Something belongs to a namespace that does not share it; the text says what.
    NotShared(String),
    /// Something cannot be used by any agent; the text says what.
    Unusable(String),
}

impl Lesson {
    fn target(self) -> Target {
        match self {
            Self::Memory => Target::Memory,
            Self::Skill => Target::Skill,
            Self::Connector => Target::Connector,
        }
    }
}

/// What the agent's references come to, memories first.
pub(super) fn of(agent: &KomputerAgent, caches: &Caches) -> Knowledge {
    let own = agent.namespace().unwrap_or_default();
    let mut sources = Vec::new();
    let memories = agent.spec.memories.iter().enumerate().map(|(index, reference)| {
        let found = caches.memories.get(&at(reference, &own));
        let field = format!("spec.memories[{index}]");
        source(Lesson::Memory, &field, reference, &own, found.map(|found| known(&*found, &found.spec.shared_with)))
    });
    let skills = agent.spec.skills.iter().enumerate().map(|(index, reference)| {
        let found = caches.skills.get(&at(reference, &own));
        let field = format!("spec.skills[{index}]");
        source(Lesson::Skill, &field, reference, &own, found.map(|found| known(&*found, &found.spec.shared_with)))
    });
    let connectors = agent.spec.connectors.iter().enumerate().map(|(index, reference)| {
        let found = caches.connectors.get(&at(reference, &own));
        let field = format!("spec.connectors[{index}]");
        let known = found.as_ref().map(|found| known(&**found, &found.spec.shared_with));
        let source = source(Lesson::Connector, &field, reference, &own, known)?;
        let Some(problem) = found.as_deref().and_then(unusable) else { return Ok(source) };
        let Source { namespace, name, .. } = source;
        Err(Knowledge::Unusable(format!("{field}: KomputerConnector {namespace}/{name}: {problem}")))
    });
    for source in memories.chain(skills).chain(connectors) {
        match source {
            Ok(source) => sources.push(source),
            Err(problem) => return problem,
        }
    }
    Knowledge::Complete(sources)
}

pub(super) fn at<K: Resource<DynamicType = ()>>(reference: &NamespacedRef, own: &str) -> ObjectRef<K> {
    ObjectRef::new(&reference.name).within(reference.namespace.as_deref().unwrap_or(own))
}

/// Of an object that was found: uid, generation, and with whom it is shared.
type Known = (String, i64, Vec<String>);

fn known<K: Resource>(object: &K, shared_with: &[String]) -> Known {
    (object.uid().unwrap_or_default(), object.meta().generation.unwrap_or_default(), shared_with.to_vec())
}

fn source(
    lesson: Lesson,
    field: &str,
    reference: &NamespacedRef,
    own: &str,
    found: Option<Known>,
) -> Result<Source, Knowledge> {
    let (kind, name) = (lesson.target().name(), &reference.name);
    let namespace = reference.namespace.as_deref().unwrap_or(own);
    let Some((uid, generation, shared_with)) = found else {
        let message =
            format!("{field}: there is no {kind} {name} in namespace {namespace}; create it or remove it here");
        return Err(Knowledge::Lacks(message));
    };
    if namespace != own && !shared_with.iter().any(|with| with == own || with == "*") {
        let message = format!(
            "{field}: {kind} {namespace}/{name} is not shared with namespace {own}; name it in the spec.sharedWith of the \
             {kind}, or remove it here"
        );
        return Err(Knowledge::NotShared(message));
    }
    Ok(Source { lesson, namespace: namespace.to_owned(), name: name.clone(), uid, generation })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(namespace: Option<&str>, shared_with: &[&str]) -> Result<Source, Knowledge> {
        let reference = NamespacedRef { name: "review".into(), namespace: namespace.map(Into::into) };
        let shared_with = shared_with.iter().map(ToString::to_string).collect();
        source(Lesson::Skill, "spec.skills[2]", &reference, "team", Some(("u".into(), 3, shared_with)))
    }

    #[test]
    fn another_namespaces_own_is_known_where_it_shares_it() {
        assert!(found(None, &[]).is_ok() && found(Some("team"), &[]).is_ok());
        assert!(found(Some("other"), &["team"]).is_ok() && found(Some("other"), &["*"]).is_ok());
        let Err(Knowledge::NotShared(message)) = found(Some("other"), &["team-b"]) else { panic!("it is not shared") };
        assert_eq!(
            message,
            "spec.skills[2]: KomputerSkill other/review is not shared with namespace team; name it in the spec.sharedWith of \
             the KomputerSkill, or remove it here"
        );
    }
}
