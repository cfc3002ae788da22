use std::{
    collections::HashMap,
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _};
use kube::{Resource, runtime::watcher::Event};

/// Namespace and name.
type Key = (String, String);

/// What there is to know of each object of a kind.
#[derive(Clone, Debug)]
pub(super) struct Known<T>(Arc<Mutex<Listed<T>>>);

#[derive(Debug)]
struct Listed<T> {
    /// Nothing until there has been a whole list.
    known: Option<HashMap<Key, T>>,
    /// A list that is not whole yet.
    incoming: HashMap<Key, T>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Listed { known: None, incoming: HashMap::new() })))
    }
}

impl<T: Clone> Known<T> {
    /// Keeps it up to date; `of` is what there is to know of an object.
    pub(super) async fn follow<K>(self, events: impl Stream<Item = Event<K>>, of: impl Fn(&K) -> T)
    where
        K: Resource + Debug,
    {
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            self.apply(&event, &of);
        }
    }

    pub(super) fn apply<K: Resource>(&self, event: &Event<K>, of: &impl Fn(&K) -> T) {
        let key = |object: &K| {
            let metadata = object.meta();
            (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
        };
        let mut listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => listed.incoming.clear(),
            Event::InitApply(object) => _ = listed.incoming.insert(key(object), of(object)),
            Event::InitDone => listed.known = Some(std::mem::take(&mut listed.incoming)),
            Event::Apply(object) => _ = listed.known.get_or_insert_default().insert(key(object), of(object)),
            Event::Delete(object) => _ = listed.known.get_or_insert_default().remove(&key(object)),
        }
    }

    /// Whether there is the object; nothing while that is not known.
    pub(super) fn contain(&self, namespace: &str, name: &str) -> Option<bool> {
        let listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listed.known.as_ref().map(|known| known.contains_key(&(namespace.to_owned(), name.to_owned())))
    }

    /// What is known of the object.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<T> {
        let listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listed.known.as_ref()?.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All that are known of which `is` is true, with their namespaces.
    pub(super) fn all(&self, is: impl Fn(&str, &T) -> bool) -> Vec<T> {
        let listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = listed.known.iter().flatten();
        known.filter(|((namespace, _), value)| is(namespace, value)).map(|(_, value)| value.clone()).collect()
    }

    /// The first name of the namespace, other than `name`, of whose object `is` is true.
    pub(super) fn other(&self, namespace: &str, name: &str, is: impl Fn(&T) -> bool) -> Option<String> {
        let listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = listed.known.as_ref()?.iter();
        let others = others.filter(|((there, other), value)| there == namespace && other != name && is(value));
        others.map(|((_, other), _)| other.clone()).min()
    }
}
