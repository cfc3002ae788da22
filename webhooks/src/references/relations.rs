//! Who manages whom, and who is in which squad: what a change makes wrong that no object alone shows.
use std::{
    collections::HashMap,
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _, future};
use komputer_crds::v1beta1::{AgentRef, KomputerAgent, KomputerSquad};
use kube::{Api, Client, Resource, api::ObjectMeta, runtime::watcher::Event};
use serde::Deserialize;

use crate::watch::watch_all;

/// An agent, as far as it says who manages it.
#[derive(Resource, Deserialize, Clone, Debug)]
#[resource(inherit = KomputerAgent)]
struct Managed {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: ManagedSpec,
}

#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
struct ManagedSpec {
    manager_ref: Option<AgentRef>,
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

/// What is known of them. Nothing is wrong by what is not known yet.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    managers: Related<String>,
    members: Related<Vec<String>>,
}

impl Relations {
    /// Those of the cluster, and the work that keeps them up to date.
    pub fn watch(client: &Client) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let relations = Self::default();
        let managers = relations
            .managers
            .clone()
            .follow(watch_all(Api::<Managed>::all(client.clone()), "KomputerAgent"), |agent| {
                agent.spec.manager_ref.as_ref().map(|manager| manager.name.clone())
            });
        let members =
            relations.members.clone().follow(watch_all(Api::<Joined>::all(client.clone()), "KomputerSquad"), |squad| {
                Some(squad.spec.members.iter().map(|member| member.name.clone()).collect())
            });
        (relations, async { _ = future::join(managers, members).await })
    }

    /// The agents of the circle that `manager` closes above `agent`, from the agent to itself.
    pub(super) fn circle(&self, namespace: &str, agent: &str, manager: &str) -> Option<Vec<String>> {
        let mut chain = vec![agent.to_owned(), manager.to_owned()];
        while chain.last().is_some_and(|last| last != agent) {
            let above = self.managers.get(namespace, chain.last()?)?;
            if above != agent && chain.contains(&above) {
                return None; // a circle of others
            }
            chain.push(above);
        }
        Some(chain)
    }

    /// Another squad of the namespace that has the member.
    pub(super) fn other_squad(&self, namespace: &str, squad: &str, member: &str) -> Option<String> {
        let known = self.members.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others: Vec<_> = known
            .iter()
            .filter(|((in_namespace, name), members)| {
                in_namespace == namespace && name != squad && members.iter().any(|other| other == member)
            })
            .map(|((_, name), _)| name.clone())
            .collect();
        others.sort_unstable();
        others.into_iter().next()
    }
}

/// By namespace and name.
#[derive(Clone, Debug)]
struct Related<T>(Arc<Mutex<HashMap<(String, String), T>>>);

impl<T> Default for Related<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Related<T> {
    async fn follow<K: Resource + Debug>(self, events: impl Stream<Item = Event<K>>, of: impl Fn(&K) -> Option<T>) {
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            self.apply(&event, &of);
        }
    }

    fn apply<K: Resource>(&self, event: &Event<K>, of: &impl Fn(&K) -> Option<T>) {
        let key = |object: &K| {
            let metadata = object.meta();
            (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            // What went meanwhile is not in the list.
            Event::Init => known.clear(),
            Event::InitApply(object) | Event::Apply(object) => match of(object) {
                Some(value) => _ = known.insert(key(object), value),
                None => _ = known.remove(&key(object)),
            },
            Event::Delete(object) => _ = known.remove(&key(object)),
            Event::InitDone => {}
        }
    }

    fn get(&self, namespace: &str, name: &str) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_circle_is_named_from_the_agent_to_itself() {
        let relations = Relations::default();
        let managed = |agent: &str, manager: &str| {
            let spec = json!({ "managerRef": { "name": manager } });
            let agent: Managed =
                serde_json::from_value(json!({ "metadata": { "namespace": "n", "name": agent }, "spec": spec }))
                    .unwrap();
            let manager = |agent: &Managed| agent.spec.manager_ref.as_ref().map(|manager| manager.name.clone());
            relations.managers.apply(&Event::Apply(agent), &manager);
        };
        managed("b", "c");
        assert_eq!(relations.circle("n", "a", "b"), None);
        managed("c", "a");
        assert_eq!(relations.circle("n", "a", "b"), Some(["a", "b", "c", "a"].map(Into::into).into()));
        assert_eq!(relations.circle("other", "a", "b"), None);
        managed("c", "b");
        assert_eq!(relations.circle("n", "a", "b"), None);
    }
}
