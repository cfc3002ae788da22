use std::{
    collections::BTreeSet,
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _, future};
use komputer_crds::v1beta1::{KomputerAgentClusterTemplate, KomputerAgentTemplate};
use kube::{Api, Client, Resource, core::PartialObjectMeta, runtime::watcher::Event};

use crate::watch::watch_all;

/// The names of all templates. Their specs are not looked at, so a broken one hides nothing.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    namespaced: Names,
    cluster: Names,
}

impl Templates {
    /// Those of the cluster, and the work that keeps them up to date.
    pub fn watch(client: &Client) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let templates = Self::default();
        let namespaced: Api<PartialObjectMeta<KomputerAgentTemplate>> = Api::all(client.clone());
        let cluster: Api<PartialObjectMeta<KomputerAgentClusterTemplate>> = Api::all(client.clone());
        let namespaced = templates.namespaced.clone().follow(watch_all(namespaced, "KomputerAgentTemplates"));
        let cluster = templates.cluster.clone().follow(watch_all(cluster, "KomputerAgentClusterTemplates"));
        (templates, async { _ = future::join(namespaced, cluster).await })
    }

    /// Whether an agent of `namespace` finds the template; nothing while that is not known.
    pub(super) fn exists(&self, namespace: &str, name: &str) -> Option<bool> {
        let (here, in_cluster) = (self.namespaced.contain(namespace, name), self.cluster.contain("", name));
        match (here, in_cluster) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
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
        let templates = Templates::default();
        templates.namespaced.apply(Event::<KomputerAgentTemplate>::Init);
        templates.namespaced.apply(Event::InitApply(template("large")));
        assert_eq!(templates.exists("default", "large"), None);
        templates.namespaced.apply(Event::<KomputerAgentTemplate>::InitDone);
        assert_eq!(templates.exists("default", "large"), Some(true));
        assert_eq!(templates.exists("default", "small"), None);
        templates.cluster.apply(Event::<KomputerAgentClusterTemplate>::InitDone);
        assert_eq!(templates.exists("default", "small"), Some(false));
        assert_eq!(templates.exists("other", "large"), Some(false));
        let small = KomputerAgentClusterTemplate::new("small", KomputerAgentClusterTemplateSpec::default());
        templates.cluster.apply(Event::Apply(small));
        assert_eq!(templates.exists("other", "small"), Some(true));
        templates.namespaced.apply(Event::Delete(template("large")));
        assert_eq!(templates.exists("default", "large"), Some(false));
    }
}
