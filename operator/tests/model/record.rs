//! All that the apiserver has, and has had: every version of every object, and what must never be in any.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use futures::{StreamExt, TryStreamExt};
use komputer_operator::agent::AgentPod;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, WatchEvent, WatchParams},
};
use tokio::task::JoinSet;

use super::{
    model::{CROWD, FEW, MANY},
    played::space::{kinds, resource},
};

/// What there is, by kind, namespace and name.
pub type Objects = BTreeMap<(&'static str, String, String), DynamicObject>;

/// What is known of the apiserver.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Seen>>);

/// Everything that was seen.
#[derive(Default)]
pub struct Seen {
    pub objects: Objects,
    /// How tasks have ended, by their uids.
    ends: BTreeMap<String, String>,
    /// What must never be and was.
    pub wrongs: Vec<String>,
    pub pods: usize,
    pub most_awake: usize,
    pub most_in_a_pod: usize,
}

impl Record {
    /// Begins to watch.
    pub async fn watch(client: &Client, tasks: &mut JoinSet<()>) -> Self {
        let record = Self::default();
        for kind in kinds() {
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource(kind));
            let list = api.list(&ListParams::default()).await.unwrap();
            let mut version = list.metadata.resource_version.unwrap();
            list.items.into_iter().for_each(|object| record.seen().take(kind, WatchEvent::Added(object)));
            let seen = record.clone();
            tasks.spawn(async move {
                loop {
                    let params = WatchParams::default().timeout(290);
                    let mut events = api.watch(&params, &version).await.unwrap().boxed();
                    while let Some(event) = events.try_next().await.unwrap() {
                        if let WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) =
                            &event
                        {
                            version = object.resource_version().unwrap();
                        }
                        seen.seen().take(kind, event);
                    }
                }
            });
        }
        record
    }

    /// What was seen by now.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }
}

/// Who is in a pod, by name, and the template of each.
pub fn inhabitants(pod: &DynamicObject) -> BTreeMap<String, String> {
    let AgentPod { seats, template, .. } = pod.metadata.clone().into();
    if seats.is_empty() {
        return [(pod.name_any(), template.unwrap_or_default())].into();
    }
    seats.into_iter().map(|(name, seat)| (name, seat.template)).collect()
}

impl Seen {
    fn take(&mut self, kind: &'static str, event: WatchEvent<DynamicObject>) {
        let key = |object: &DynamicObject| (kind, object.namespace().unwrap_or_default(), object.name_any());
        match event {
            WatchEvent::Added(object) => {
                self.pods += usize::from(kind == "Pod");
                self.objects.insert(key(&object), object);
            }
            WatchEvent::Modified(object) => {
                if kind == "KomputerTask" {
                    self.check_task(&object);
                }
                self.objects.insert(key(&object), object);
            }
            WatchEvent::Deleted(object) => drop(self.objects.remove(&key(&object))),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(error) => panic!("the watch of {kind} ended: {error:?}"),
        }
        if kind == "Pod" {
            self.check_pods();
        }
    }

    /// All objects of a kind, with their namespaces and names.
    pub fn all(&self, kind: &'static str) -> impl Iterator<Item = (&str, &str, &DynamicObject)> {
        let of_kind = self.objects.range((kind, String::new(), String::new())..);
        of_kind
            .take_while(move |((of, _, _), _)| *of == kind)
            .map(|((_, namespace, name), object)| (&**namespace, &**name, object))
    }

    /// Nobody is in two pods, and no more are awake than may be, but for those who come into a squad's pod with others.
    fn check_pods(&mut self) {
        let (mut awake, mut started) = (BTreeSet::new(), BTreeMap::new());
        let (mut company, mut wrongs, mut most) = (0, Vec::new(), 0);
        for (namespace, pod_name, pod) in self.all("Pod") {
            let inhabitants = inhabitants(pod);
            company += inhabitants.len() - 1;
            most = most.max(inhabitants.len());
            for name in inhabitants.into_keys() {
                let agent = (namespace.to_owned(), name);
                let is_started = !pod.data["status"]["podIP"].is_null();
                let other = is_started.then(|| started.insert(agent.clone(), pod_name)).flatten();
                wrongs.extend(other.map(|other| format!("{agent:?} is in the pods {other} and {pod_name}")));
                awake.insert(agent);
            }
        }
        let few = awake.iter().filter(|(namespace, _)| namespace == CROWD).count();
        let is_too_many = awake.len() > MANY + company || few > FEW;
        wrongs.extend(is_too_many.then(|| format!("too many are awake: {awake:?}")));
        let count = awake.len();
        self.wrongs.extend(wrongs);
        self.most_awake = self.most_awake.max(count);
        self.most_in_a_pod = self.most_in_a_pod.max(most);
    }

    /// How a task has ended is said once.
    fn check_task(&mut self, object: &DynamicObject) {
        let phase = object.data["status"]["phase"].as_str().unwrap_or("Pending");
        let uid = object.uid().unwrap_or_default();
        match self.ends.get(&uid) {
            Some(end) if end != phase => {
                self.wrongs.push(format!("task {} was {end} and is {phase}", object.name_any()));
            }
            None if ["Succeeded", "Failed", "Cancelled"].contains(&phase) => {
                self.ends.insert(uid, phase.to_owned());
            }
            _ => {}
        }
    }
}
