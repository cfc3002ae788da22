use std::sync::Arc;

use kube::{
    core::DeserializeGuard,
    runtime::{
        reflector::{self, ObjectRef, Store, store::Writer},
        watcher::Event,
    },
};

use super::Kind;

/// An object of the cluster, or why it cannot be read.
pub type Object<K> = DeserializeGuard<K>;

/// Every object of a kind, as of the last watch event.
pub struct Cache<K: Kind> {
    store: Store<Object<K>>,
}

impl<K: Kind> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone() }
    }
}

impl<K: Kind> Cache<K> {
    /// One object, or nothing where there is none of that name.
    ///
    /// # Errors
    /// The object is there and does not have the shape of its definition; says how.
    pub fn get(&self, namespace: &str, name: &str) -> Result<Option<Arc<Object<K>>>, String> {
        let found = self.store.get(&ObjectRef::new(name).within(namespace));
        match found.as_deref() {
            Some(DeserializeGuard(Err(invalid))) => Err(invalid.to_string()),
            _ => Ok(found),
        }
    }

    /// The readable objects that `wanted` chooses, in no order.
    pub fn select(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<Object<K>>> {
        self.store.state_filter(|object| object.0.as_ref().is_ok_and(&wanted))
    }
}

/// The writing end of a [`Cache`].
pub(super) struct Keeper<K: Kind> {
    writer: Writer<Object<K>>,
}

impl<K: Kind> Keeper<K> {
    pub(super) fn new() -> (Self, Cache<K>) {
        let (store, writer) = reflector::store();
        (Self { writer }, Cache { store })
    }

    pub(super) fn take(&mut self, event: &Event<Object<K>>) {
        self.writer.apply_watcher_event(event);
    }
}

#[cfg(test)]
impl<K: Kind> Cache<K> {
    /// A cache that holds these objects.
    pub(crate) fn of(objects: impl IntoIterator<Item = K>) -> Self {
        let (mut keeper, cache) = Keeper::new();
        keeper.take(&Event::Init);
        for object in objects {
            keeper.take(&Event::InitApply(DeserializeGuard(Ok(object))));
        }
        keeper.take(&Event::InitDone);
        cache
    }
}
