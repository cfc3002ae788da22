use std::error::Error;

use backon::BackoffBuilder as _;
use futures::StreamExt as _;
use komputer_events::bus::retry_policy;
use komputer_telemetry::{Check, Health};
use kube::{
    Api, Client, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};

use super::Kind;
use super::cache::{Cache, Keeper, Object};

/// Objects a page of a list: bounds what one answer of the apiserver holds.
const PAGE: u32 = 500;
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Lists and watches a kind for ever, in a task of its own.
pub(super) fn follow<K: Kind>(client: &Client, health: &Health) -> Cache<K> {
    let (keeper, cache) = Keeper::new();
    tokio::spawn(keep(Api::all(client.clone()), keeper, health.check(K::plural(&()))));
    cache
}

async fn keep<K: Kind>(api: Api<Object<K>>, mut keeper: Keeper<K>, listed: Check) {
    let kind = K::kind(&());
    let events = watcher(api, watcher::Config::default().page_size(PAGE)).modify(slim);
    let mut events = std::pin::pin!(events);
    let mut delays = retry_policy().build();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                report_unreadable(&event);
                keeper.take(&event);
                // Not by `Init`, which a watcher says before each list, also before one that fails.
                if matches!(event, Event::InitDone) {
                    delays = retry_policy().build();
                    listed.pass();
                }
            }
            Err(error) => {
                let delay = delays.next().unwrap_or_default();
                tracing::warn!(error = &error as &dyn Error, %kind, ?delay, "watch failed, trying again");
                tokio::time::sleep(delay).await;
            }
        }
    }
}

/// What nobody reads through this API is not kept.
fn slim<K: Kind>(object: &mut Object<K>) {
    object.managed_fields_mut().clear();
    object.annotations_mut().remove(LAST_APPLIED);
}

fn report_unreadable<K: Kind>(event: &Event<Object<K>>) {
    if let Event::Apply(object) | Event::InitApply(object) = event
        && let DeserializeGuard(Err(invalid)) = object
    {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        tracing::warn!(error = %invalid, kind = %K::kind(&()), namespace, name, "object cannot be read");
    }
}
