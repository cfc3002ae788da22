//! A watch that fills a store, survives every error, and says which objects to look at.
//!
//! kube's own controller merges all watches into one stream, where one broken watch delays all others, and its backoff
//! is reset by the attempt to list, so that it never grows. Here each watch has a task and a backoff of its own.
use std::fmt::Debug;

use backon::BackoffBuilder;
use futures::{Stream, TryStreamExt};
use komputer_events::bus::retry_policy;
use kube::{
    Api, Client, Resource,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::{
        reflector::{self, ObjectRef, Store, store::Writer},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use crate::freshness::Freshness;

/// A kind that can be watched.
pub trait Watched: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}

impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static> Watched for K {}

/// Objects of a list that are in memory as they came, before they are pruned: the most memory is needed at the start.
pub(crate) const PAGE: u32 = 100;

/// Where caches are filled from, and how far they have come.
#[derive(Clone)]
pub struct Origin {
    /// The apiserver.
    pub client: Client,
    /// Of all of them.
    pub freshness: Freshness,
}

impl Origin {
    /// Fills the returned store for as long as the process lives. `prune` drops what nobody reads before it is kept;
    /// `changed` is told of every object that appears, changes or goes, and of none before the store has all of them.
    pub fn cache<K: Watched>(
        &self,
        api: impl FnOnce(Client) -> Api<K>,
        config: watcher::Config,
        prune: impl FnMut(&mut K) + Send + 'static,
        changed: impl Fn(&K, Change) + Send + 'static,
    ) -> Store<K> {
        fill(&self.freshness, watcher(api(self.client.clone()), config.page_size(PAGE)), prune, changed)
    }

    /// Like [`Self::cache`], for kinds that people write: an object that cannot be read is as one that is not there, and
    /// keeps nobody from seeing the others.
    pub fn guarded_cache<K: Watched>(
        &self,
        api: impl FnOnce(Client) -> Api<DeserializeGuard<K>>,
        config: watcher::Config,
        prune: impl FnMut(&mut K) + Send + 'static,
        changed: impl Fn(&K, Change) + Send + 'static,
    ) -> Store<K> {
        let events = watcher(api(self.client.clone()), config.page_size(PAGE));
        let events = events.try_filter_map(|event| std::future::ready(Ok(readable(event))));
        fill(&self.freshness, events, prune, changed)
    }
}

fn readable<K: Watched>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
    let read = |DeserializeGuard(object): DeserializeGuard<K>| match object {
        Ok(object) => Some(object),
        Err(InvalidObject { error, metadata }) => {
            tracing::error!(kind = %K::kind(&()), namespace = metadata.namespace, name = metadata.name, error, "cannot read");
            None
        }
    };
    Some(match event {
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::InitApply(object) => Event::InitApply(read(object)?),
        Event::Apply(object) => Event::Apply(read(object)?),
        Event::Delete(object) => Event::Delete(read(object)?),
    })
}

fn fill<K: Watched>(
    freshness: &Freshness,
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    mut prune: impl FnMut(&mut K) + Send + 'static,
    changed: impl Fn(&K, Change) + Send + 'static,
) -> Store<K> {
    let (store, mut writer) = reflector::store();
    let freshness = freshness.clone();
    tokio::spawn(async move {
        let mut events = std::pin::pin!(events);
        let mut delays = retry_policy().build();
        loop {
            match events.try_next().await {
                Ok(Some(mut event)) => {
                    if let Event::Apply(object) | Event::InitApply(object) | Event::Delete(object) = &mut event {
                        prune(object);
                    }
                    if matches!(event, Event::InitDone) {
                        delays = retry_policy().build();
                    }
                    take(&mut writer, &event, &|object, change| {
                        freshness.show(object);
                        changed(object, change);
                    });
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, kind = %K::kind(&()), "watch failed");
                    tokio::time::sleep(delays.next().unwrap_or_default()).await;
                }
            }
        }
    });
    store
}

fn take<K: Watched>(writer: &mut Writer<K>, event: &Event<K>, changed: &impl Fn(&K, Change)) {
    let before = if matches!(event, Event::InitDone) { writer.as_reader().state() } else { Vec::new() };
    writer.apply_watcher_event(event);
    match event {
        Event::Apply(object) => changed(object, Change::Applied),
        Event::Delete(object) => changed(object, Change::Deleted),
        Event::InitDone => {
            let store = writer.as_reader();
            store.state().iter().for_each(|object| changed(object, Change::Applied));
            let gone = before.iter().filter(|object| store.get(&ObjectRef::from_obj(object)).is_none());
            gone.for_each(|object| changed(object, Change::Deleted));
        }
        Event::Init | Event::InitApply(_) => {}
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It appeared or changed.
    Applied,
    /// It is gone.
    Deleted,
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use k8s_openapi::api::core::v1::Namespace;

    use super::*;

    fn namespace(name: &str) -> Namespace {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.into());
        namespace
    }

    #[tokio::test]
    async fn an_object_that_cannot_be_read_hides_no_other() {
        let guard = |object| serde_json::from_value::<DeserializeGuard<Namespace>>(object).unwrap();
        let broken = serde_json::json!({ "metadata": { "name": "broken" }, "spec": "many" });
        let objects = [guard(serde_json::json!({ "metadata": { "name": "a" } })), guard(broken)];
        let events = [Event::Init].into_iter().chain(objects.map(Event::InitApply)).chain([Event::InitDone]);
        let events = futures::stream::iter(events.filter_map(readable).map(Ok));
        let store = fill(&Freshness::default(), events, |_| {}, |_, _| {});
        store.wait_until_ready().await.ok();
        let names: Vec<_> = store.state().iter().map(|found| found.metadata.name.clone()).collect();
        assert_eq!(names, [Some("a".into())]);
    }

    #[test]
    fn nobody_is_told_before_the_store_has_everything_and_what_went_meanwhile_is_noticed() {
        let (store, mut writer) = reflector::store::<Namespace>();
        let told = RefCell::new(Vec::new());
        let changed = |object: &Namespace, change| {
            let known = store.get(&ObjectRef::from_obj(object)).is_some();
            told.borrow_mut().push((object.metadata.name.clone().unwrap(), change, known));
        };
        let list = |writer: &mut Writer<Namespace>, names: &[&str]| {
            take(writer, &Event::Init, &changed);
            names.iter().for_each(|name| take(writer, &Event::InitApply(namespace(name)), &changed));
            assert!(told.borrow().is_empty());
            take(writer, &Event::InitDone, &changed);
            std::mem::take(&mut *told.borrow_mut())
        };
        assert_eq!(list(&mut writer, &["a"]), [("a".into(), Change::Applied, true)]);
        assert_eq!(
            list(&mut writer, &["b"]),
            [("b".into(), Change::Applied, true), ("a".into(), Change::Deleted, false)]
        );
    }
}
