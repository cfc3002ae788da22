//! Which agents use what: a store has no index of its own.
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use komputer_crds::{DEFAULT_TEMPLATE, object_references::Target, v1beta1::KomputerAgent, validate};
use komputer_events::AgentId;
use kube::ResourceExt;

use crate::relation::Relation;

/// Something that an agent uses. A template's namespace is the agent's, where it may be one of the cluster all the same;
/// an agent is used as a manager.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attachment {
    /// What it is.
    pub target: Target,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What the agent uses.
pub fn attachments_of(agent: &KomputerAgent) -> BTreeSet<Attachment> {
    let own = agent.namespace().unwrap_or_default();
    let spec = &agent.spec;
    let attachment = |target, namespace: Option<&String>, name: &str| Attachment {
        target,
        namespace: namespace.unwrap_or(&own).clone(),
        name: name.into(),
    };
    let template = spec.template_ref.as_ref().map_or(DEFAULT_TEMPLATE, |reference| &reference.name);
    let lists =
        [(Target::Skill, &spec.skills), (Target::Memory, &spec.memories), (Target::Connector, &spec.connectors)];
    let listed = lists.into_iter().flat_map(|(target, list)| list.iter().map(move |item| (target, item)));
    listed
        .map(|(target, item)| attachment(target, item.namespace.as_ref(), &item.name))
        .chain([attachment(Target::Template, None, template)])
        .chain(spec.manager_ref.as_ref().map(|manager| attachment(Target::Agent, None, &manager.name)))
        .collect()
}

/// The agents that use each thing.
#[derive(Default)]
pub struct Attachments(Mutex<Relation<AgentId, Attachment>>);

impl Attachments {
    /// Takes into account that `agent` uses these things and no others, and answers what it began or ceased to use.
    pub fn update(&self, agent: &AgentId, used: BTreeSet<Attachment>) -> Vec<Attachment> {
        self.relation().update(agent, used)
    }

    /// The agents that use it.
    pub fn agents(&self, attachment: &Attachment) -> BTreeSet<AgentId> {
        self.relation().to(attachment)
    }

    /// The managers above the agent, of its namespace as all are: see [`validate::managers`].
    pub fn managers(&self, agent: &AgentId) -> Vec<String> {
        let relation = self.relation();
        let manager_of = |name: &str| {
            let id = AgentId::new(agent.namespace(), name).ok()?;
            relation.of(&id).find(|used| used.target == Target::Agent).map(|used| used.name.clone())
        };
        validate::managers(agent.name(), manager_of)
    }

    /// How many agents name a template so, in each namespace.
    pub fn template_users(&self, name: &str) -> Vec<(String, usize)> {
        let relation = self.relation();
        let named = relation.rights().filter(|(used, _)| used.target == Target::Template && used.name == name);
        named.map(|(used, agents)| (used.namespace.clone(), agents.len())).collect()
    }

    fn relation(&self) -> MutexGuard<'_, Relation<AgentId, Attachment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use komputer_crds::v1beta1::{AgentRef, KomputerAgentSpec, NamespacedRef};

    use super::*;

    #[test]
    fn managers_are_those_of_the_namespace() {
        let index = Attachments::default();
        for (namespace, agent, manager) in [("team", "a", "b"), ("team", "b", "c"), ("other", "c", "a")] {
            let used = Attachment { target: Target::Agent, namespace: namespace.into(), name: manager.into() };
            index.update(&AgentId::new(namespace, agent).unwrap(), [used].into());
        }
        assert_eq!(index.managers(&AgentId::new("team", "a").unwrap()), ["b", "c"]);
    }

    #[test]
    fn what_an_agent_begins_and_ceases_to_use_is_told() {
        let mut agent = KomputerAgent::new("ada", KomputerAgentSpec::default());
        agent.metadata.namespace = Some("team".into());
        agent.spec.skills = vec![NamespacedRef { name: "review".into(), namespace: Some("shared".into()) }];
        agent.spec.manager_ref = Some(AgentRef { name: "boss".into() });
        let (index, id) = (Attachments::default(), AgentId::new("team", "ada").unwrap());
        let names = |changed: Vec<Attachment>| changed.into_iter().map(|used| used.name).collect::<Vec<_>>();
        assert_eq!(names(index.update(&id, attachments_of(&agent))), ["boss", "review", "default"]);
        assert_eq!(names(index.update(&id, attachments_of(&agent))), Vec::<String>::new());
        assert_eq!(index.template_users("default"), [("team".into(), 1)]);

        agent.spec.skills.clear();
        assert_eq!(names(index.update(&id, attachments_of(&agent))), ["review"]);
        let review = Attachment { target: Target::Skill, namespace: "shared".into(), name: "review".into() };
        assert_eq!(index.agents(&review), BTreeSet::new());
        assert_eq!(names(index.update(&id, BTreeSet::new())), ["boss", "default"]);
    }
}
