//! Watches that go on through errors.
use std::fmt::Debug;

use futures::{Stream, StreamExt as _, future};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt as _, watcher, watcher::Event},
};
use serde::de::DeserializeOwned;

/// The object of that name, now and whenever it changes; nothing where it does not exist.
pub(crate) fn watch_object<K>(api: Api<K>, name: &str) -> impl Stream<Item = Option<K>> + Send + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let objects = watcher::watch_object(api, name).default_backoff();
    objects.filter_map(without_errors(name.to_owned()))
}

/// All objects, as events.
pub(crate) fn watch_all<K>(api: Api<K>, what: &str) -> impl Stream<Item = Event<K>> + Send + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, watcher::Config::default()).default_backoff().filter_map(without_errors(what.to_owned()))
}

fn without_errors<T>(what: String) -> impl FnMut(Result<T, watcher::Error>) -> future::Ready<Option<T>> {
    move |result| {
        let logged = result.inspect_err(|error| tracing::warn!(what, %error, "cannot watch, trying again"));
        future::ready(logged.ok())
    }
}
