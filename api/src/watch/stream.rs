use std::{error::Error, time::Duration};

use futures::StreamExt as _;
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
    let mut delays = Delays::default();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                report_unreadable(&event);
                delays.note(&event);
                keeper.take(&event);
                if matches!(event, Event::InitDone) {
                    listed.pass();
                }
            }
            Err(error) => {
                let delay = delays.next();
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

/// Waits between failures: 500 ms doubling to 30 s.
///
/// Only a finished list or a watched change starts them over: a watcher says `Init` before each list, also before one
/// that fails.
struct Delays(Duration);

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

impl Default for Delays {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Delays {
    fn next(&mut self) -> Duration {
        let delay = self.0;
        self.0 = (delay * 2).min(LONGEST);
        delay
    }

    fn note<K>(&mut self, event: &Event<K>) {
        if matches!(event, Event::InitDone | Event::Apply(_) | Event::Delete(_)) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_until_a_list_is_finished() {
        let mut delays = Delays::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            delays.note(&Event::<()>::Init);
            waits.push(delays.next().as_millis());
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        delays.note(&Event::<()>::InitDone);
        assert_eq!(delays.next(), SHORTEST);
    }
}
