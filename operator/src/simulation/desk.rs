//! Who looks at the objects of one kind, in the place of kube's applier: one at a time each, when the simulation says so.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::task::JoinHandle;

use crate::{
    carry_out::Hands,
    controller::{Context, Controller, HEARTBEAT, back_off, look},
    queue::Queue,
    watch::Watched,
};

/// An object by its namespace and name.
pub(super) type Key = (String, String);

/// A desk, whatever its kind.
pub(super) trait Looks {
    /// Notes what is to be looked at by now, and what has been looked at.
    fn note(&mut self, now: Timestamp) -> BoxFuture<'_, ()>;
    /// What can be looked at.
    fn ready(&self) -> Vec<Key>;
    /// Begins to look.
    fn begin(&mut self, key: &Key);
    /// Everything is to be looked at.
    fn look_at_all(&mut self);
    /// Whether somebody looks at something.
    fn is_busy(&self) -> bool;
    /// When something is to be looked at again.
    fn next(&self) -> Option<Timestamp>;
}

pub(super) struct Desk<C: Controller> {
    context: Arc<Context<C>>,
    store: Store<C::Object>,
    queue: Queue<C::Object>,
    waiting: BTreeSet<Key>,
    due: BTreeMap<Key, Timestamp>,
    working: BTreeMap<Key, JoinHandle<Duration>>,
}

impl<C: Controller> Desk<C>
where
    C::Object: Watched,
{
    pub(super) fn boxed(
        controller: C,
        hands: &Hands,
        store: &Store<C::Object>,
        queue: Queue<C::Object>,
    ) -> Box<dyn Looks> {
        queue.open(store.clone());
        Box::new(Self {
            context: Arc::new(Context::new(controller, hands.clone())),
            store: store.clone(),
            queue,
            waiting: BTreeSet::new(),
            due: BTreeMap::new(),
            working: BTreeMap::new(),
        })
    }
}

impl<C: Controller> Drop for Desk<C> {
    fn drop(&mut self) {
        self.working.values().for_each(JoinHandle::abort);
    }
}

impl<C: Controller> Looks for Desk<C> {
    fn note(&mut self, now: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            let finished = self.working.iter().filter(|(_, work)| work.is_finished());
            for key in finished.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                let again = self.working.remove(&key).unwrap().await.unwrap();
                let at = now + SignedDuration::try_from(again).unwrap();
                let due = self.due.entry(key).or_insert(at);
                *due = at.min(*due);
            }
            while let Some(object) = self.queue.take() {
                self.queue.lay_down(&object);
                self.waiting.insert((object.namespace.unwrap_or_default(), object.name));
            }
            let due = self.due.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone());
            for key in due.collect::<Vec<_>>() {
                self.due.remove(&key);
                self.waiting.insert(key);
            }
        }
        .boxed()
    }

    fn ready(&self) -> Vec<Key> {
        self.waiting.iter().filter(|key| !self.working.contains_key(*key)).cloned().collect()
    }

    fn begin(&mut self, key: &Key) {
        self.waiting.remove(key);
        self.due.remove(key);
        let reference = ObjectRef::new(&key.1).within(&key.0);
        let Some(object) = self.store.get(&reference) else { return self.context.forget(&reference) };
        let context = self.context.clone();
        let work = tokio::spawn(async move {
            match look(object.clone(), &context).await {
                Ok(again) => again.unwrap_or(HEARTBEAT),
                Err(error) => back_off(object, &error, context),
            }
        });
        self.working.insert(key.clone(), work);
    }

    fn look_at_all(&mut self) {
        let all = self.store.state();
        self.waiting.extend(all.iter().map(|object| (object.namespace().unwrap_or_default(), object.name_any())));
    }

    fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || !self.working.is_empty()
    }

    fn next(&self) -> Option<Timestamp> {
        self.due.values().min().copied()
    }
}
