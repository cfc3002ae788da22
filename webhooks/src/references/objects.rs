use std::fmt::Debug;

use futures::future::{self, BoxFuture};
use komputer_crds::{
    DEFAULT_TEMPLATE,
    object_references::Target,
    v1beta1::{
        AgentRef, KomputerAgent, KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerConnector,
        KomputerMemory, KomputerSkill, KomputerSquad, TemplateRef,
    },
    validate::Kind,
};
use kube::{Api, Client, Resource, api::ObjectMeta, core::PartialObjectMeta};
use serde::{Deserialize, de::DeserializeOwned};

use super::known::Known;
use crate::watch::watch_all;

/// What objects refer to, by name, and what relates them. The rest of their specs is not looked at, so a broken one hides
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Agents, as far as others depend on them.
    agents: Known<AgentFacts>,
    /// Squads, with the names of their members.
    squads: Known<Vec<String>>,
    connectors: Known<()>,
    memories: Known<()>,
    skills: Known<()>,
    templates: Known<()>,
    cluster_templates: Known<()>,
}

/// What others depend on of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgentFacts {
    /// The name of its manager.
    pub(crate) manager: Option<String>,
    /// The name of its template.
    pub(crate) template: Option<String>,
    /// `spec.rollout`.
    pub(crate) rollout: Option<String>,
    /// `status.phase`.
    pub(crate) phase: Option<String>,
}

impl AgentFacts {
    /// Whether it has a pod.
    pub(crate) fn is_awake(&self) -> bool {
        matches!(self.phase.as_deref(), Some("Starting" | "Idle" | "Working"))
    }

    /// Whether a task runs.
    pub(crate) fn works(&self) -> bool {
        self.phase.as_deref() == Some("Working")
    }
}

/// An agent, as far as others depend on it.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = KomputerAgent)]
struct Managed {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: ManagedSpec,
    #[serde(default)]
    status: ManagedStatus,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
struct ManagedSpec {
    manager_ref: Option<AgentRef>,
    template_ref: Option<TemplateRef>,
    rollout: Option<String>,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(default)]
struct ManagedStatus {
    phase: Option<String>,
}

/// A squad, as far as it says who is in it.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = KomputerSquad)]
struct Joined {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: JoinedSpec,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(default)]
struct JoinedSpec {
    members: Vec<AgentRef>,
}

fn facts(agent: &Managed) -> AgentFacts {
    let ManagedSpec { manager_ref, template_ref, rollout } = agent.spec.clone();
    AgentFacts {
        manager: manager_ref.map(|manager| manager.name),
        template: template_ref.map(|template| template.name),
        rollout,
        phase: agent.status.phase.clone(),
    }
}

fn members(squad: &Joined) -> Vec<String> {
    squad.spec.members.iter().map(|member| member.name.clone()).collect()
}

impl Objects {
    /// Those of the cluster, and the work that keeps them up to date.
    pub fn watch(client: &Client) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let objects = Self::default();
        let work = [
            keep(&objects.agents, Api::<Managed>::all(client.clone()), facts),
            keep(&objects.squads, Api::<Joined>::all(client.clone()), members),
            names::<KomputerConnector>(&objects.connectors, client),
            names::<KomputerMemory>(&objects.memories, client),
            names::<KomputerSkill>(&objects.skills, client),
            names::<KomputerAgentTemplate>(&objects.templates, client),
            names::<KomputerAgentClusterTemplate>(&objects.cluster_templates, client),
        ];
        (objects, async { _ = future::join_all(work).await })
    }

    /// The name of an agent's manager, as far as it is known.
    pub(super) fn manager(&self, namespace: &str, agent: &str) -> Option<String> {
        self.agents.get(namespace, agent)?.manager
    }

    /// The agents that are made from a template; one of a namespace's goes before one of the cluster's of that name.
    pub(super) fn agents_of(&self, kind: Kind, namespace: &str, template: &str) -> Vec<AgentFacts> {
        self.agents.all(|place, agent| {
            let is_its_own = if kind == Kind::Template {
                place == namespace
            } else {
                self.templates.contain(place, template) == Some(false)
            };
            is_its_own && agent.template.as_deref().unwrap_or(DEFAULT_TEMPLATE) == template
        })
    }

    /// Another squad of the namespace that has the member.
    pub(super) fn other_squad(&self, namespace: &str, squad: &str, member: &str) -> Option<String> {
        self.squads.other(namespace, squad, |members| members.iter().any(|name| name == member))
    }

    /// Whether an object of `namespace` finds what it refers to; nothing while that is not known, or is not known here.
    pub(super) fn exists(&self, target: Target, namespace: &str, name: &str) -> Option<bool> {
        match target {
            Target::Agent => self.agents.contain(namespace, name),
            Target::Connector => self.connectors.contain(namespace, name),
            Target::Memory => self.memories.contain(namespace, name),
            Target::Skill => self.skills.contain(namespace, name),
            Target::Secret => None,
            Target::Template => {
                let (here, in_cluster) =
                    (self.templates.contain(namespace, name), self.cluster_templates.contain("", name));
                match (here, in_cluster) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }
            }
        }
    }
}

fn keep<K, T>(known: &Known<T>, api: Api<K>, of: fn(&K) -> T) -> BoxFuture<'static, ()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Clone + Send + 'static,
{
    Box::pin(known.clone().follow(watch_all(api, &K::kind(&())), of))
}

fn names<K>(known: &Known<()>, client: &Client) -> BoxFuture<'static, ()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    keep(known, Api::<PartialObjectMeta<K>>::all(client.clone()), |_| ())
}

#[cfg(test)]
mod tests {
    use komputer_crds::v1beta1::{KomputerAgentClusterTemplateSpec, KomputerAgentTemplateSpec};
    use kube::runtime::watcher::Event;

    use super::*;

    fn template(name: &str) -> KomputerAgentTemplate {
        let mut template = KomputerAgentTemplate::new(name, KomputerAgentTemplateSpec::default());
        template.metadata.namespace = Some("default".into());
        template
    }

    #[test]
    fn nothing_is_missing_until_both_lists_are_whole() {
        let objects = Objects::default();
        objects.templates.apply(&Event::<KomputerAgentTemplate>::Init, &|_| ());
        objects.templates.apply(&Event::InitApply(template("large")), &|_| ());
        assert_eq!(objects.exists(Target::Template, "default", "large"), None);
        objects.templates.apply(&Event::<KomputerAgentTemplate>::InitDone, &|_| ());
        assert_eq!(objects.exists(Target::Template, "default", "large"), Some(true));
        assert_eq!(objects.exists(Target::Template, "default", "small"), None);
        objects.cluster_templates.apply(&Event::<KomputerAgentClusterTemplate>::InitDone, &|_| ());
        assert_eq!(objects.exists(Target::Template, "default", "small"), Some(false));
        assert_eq!(objects.exists(Target::Template, "other", "large"), Some(false));
        let small = KomputerAgentClusterTemplate::new("small", KomputerAgentClusterTemplateSpec::default());
        objects.cluster_templates.apply(&Event::Apply(small), &|_| ());
        assert_eq!(objects.exists(Target::Template, "other", "small"), Some(true));
        objects.templates.apply(&Event::Delete(template("large")), &|_| ());
        assert_eq!(objects.exists(Target::Template, "default", "large"), Some(false));
    }
}
