use std::{
    collections::BTreeSet,
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _, future, future::BoxFuture};
use komputer_crds::{
    object_references::Target,
    v1beta1::{
        KomputerAgent, KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerConnector, KomputerMemory,
        KomputerSkill,
    },
};
use kube::{Api, Client, Resource, core::PartialObjectMeta, runtime::watcher::Event};
use serde::de::DeserializeOwned;

use crate::watch::watch_all;

/// The names of all objects that others refer to. Their specs are not looked at, so a broken one hides nothing.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    agents: Names,
    connectors: Names,
    memories: Names,
    skills: Names,
    templates: Names,
    cluster_templates: Names,
}

impl Objects {
    /// Those of the cluster, and the work that keeps them up to date.
    pub fn watch(client: &Client) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let objects = Self::default();
        let work = [
            objects.agents.keep::<KomputerAgent>(client),
            objects.connectors.keep::<KomputerConnector>(client),
            objects.memories.keep::<KomputerMemory>(client),
            objects.skills.keep::<KomputerSkill>(client),
            objects.templates.keep::<KomputerAgentTemplate>(client),
            objects.cluster_templates.keep::<KomputerAgentClusterTemplate>(client),
        ];
        (objects, async { _ = future::join_all(work).await })
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

/// Namespace and name of each object of a kind.
#[derive(Clone, Debug, Default)]
struct Names(Arc<Mutex<Listed>>);

#[derive(Debug, Default)]
struct Listed {
    /// Nothing until there has been a whole list.
    known: Option<BTreeSet<(String, String)>>,
    /// A list that is not whole yet.
    incoming: BTreeSet<(String, String)>,
}

impl Names {
    fn keep<K>(&self, client: &Client) -> BoxFuture<'static, ()>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let objects: Api<PartialObjectMeta<K>> = Api::all(client.clone());
        Box::pin(self.clone().follow(watch_all(objects, &K::kind(&()))))
    }

    async fn follow<K: Resource + Debug>(self, events: impl Stream<Item = Event<K>>) {
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            self.apply(event);
        }
    }

    fn apply<K: Resource>(&self, event: Event<K>) {
        let name = |object: K| {
            let metadata = object.meta();
            (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
        };
        let mut listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => listed.incoming.clear(),
            Event::InitApply(object) => _ = listed.incoming.insert(name(object)),
            Event::InitDone => listed.known = Some(std::mem::take(&mut listed.incoming)),
            Event::Apply(object) => _ = listed.known.get_or_insert_default().insert(name(object)),
            Event::Delete(object) => _ = listed.known.get_or_insert_default().remove(&name(object)),
        }
    }

    fn contain(&self, namespace: &str, name: &str) -> Option<bool> {
        let listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listed.known.as_ref().map(|known| known.contains(&(namespace.to_owned(), name.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use komputer_crds::v1beta1::{KomputerAgentClusterTemplateSpec, KomputerAgentTemplateSpec};

    use super::*;

    fn template(name: &str) -> KomputerAgentTemplate {
        let mut template = KomputerAgentTemplate::new(name, KomputerAgentTemplateSpec::default());
        template.metadata.namespace = Some("default".into());
        template
    }

    #[test]
    fn nothing_is_missing_until_both_lists_are_whole() {
        let objects = Objects::default();
        objects.templates.apply(Event::<KomputerAgentTemplate>::Init);
        objects.templates.apply(Event::InitApply(template("large")));
        assert_eq!(objects.exists(Target::Template, "default", "large"), None);
        objects.templates.apply(Event::<KomputerAgentTemplate>::InitDone);
        assert_eq!(objects.exists(Target::Template, "default", "large"), Some(true));
        assert_eq!(objects.exists(Target::Template, "default", "small"), None);
        objects.cluster_templates.apply(Event::<KomputerAgentClusterTemplate>::InitDone);
        assert_eq!(objects.exists(Target::Template, "default", "small"), Some(false));
        assert_eq!(objects.exists(Target::Template, "other", "large"), Some(false));
        let small = KomputerAgentClusterTemplate::new("small", KomputerAgentClusterTemplateSpec::default());
        objects.cluster_templates.apply(Event::Apply(small));
        assert_eq!(objects.exists(Target::Template, "other", "small"), Some(true));
        objects.templates.apply(Event::Delete(template("large")));
        assert_eq!(objects.exists(Target::Template, "default", "large"), Some(false));
    }
}
