//! What there is in a namespace, and what was made in it, without what differs from one time to the next.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use komputer_events::bus::Streams;
use komputer_operator::agent::MANIFEST_HASH;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::played::space::{kinds, resource};

/// How often objects of each name were made.
#[derive(Clone, Default)]
pub struct Births(Arc<Mutex<Counts>>);

/// By namespaces and names.
type Counts = BTreeMap<(String, String), usize>;

impl Births {
    /// Begins to count.
    pub async fn watch(client: &Client, tasks: &mut JoinSet<()>) -> Self {
        let births = Self::default();
        for resource in kinds().map(resource) {
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
            let version = api.list_metadata(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
            let counted = births.clone();
            tasks.spawn(async move {
                let mut events =
                    api.watch_metadata(&WatchParams::default().timeout(294), &version).await.unwrap().boxed();
                while let Some(event) = events.try_next().await.unwrap() {
                    if let WatchEvent::Added(object) = event {
                        let namespace = object.namespace().unwrap_or_default();
                        let name = plain(&format!("{} {}", resource.kind, object.name_any()), &namespace);
                        *counted.0.lock().unwrap().entry((namespace, name)).or_default() += 1;
                    }
                }
            });
        }
        births
    }

    /// Of one namespace, as `COUNT KIND NAME`.
    pub fn of(&self, namespace: &str) -> Vec<String> {
        let births = self.0.lock().unwrap();
        let of_namespace = births.iter().filter(|((of, _), _)| of == namespace);
        of_namespace.map(|((_, name), count)| format!("{count} {name}")).collect()
    }
}

/// All objects of a namespace, and what Redis knows of it.
pub async fn contents(client: &Client, streams: &Streams, namespace: &str) -> Vec<String> {
    let mut contents = Vec::new();
    for resource in kinds().map(resource) {
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
        for object in api.list(&ListParams::default()).await.unwrap() {
            let name = plain(&object.name_any(), namespace);
            let is_ours = resource.group == "komputer.komputer.ai";
            let data = if is_ours { ours(&object, namespace) } else { others(&resource.kind, &object) };
            contents.push(format!("{} {name} {data}", resource.kind));
        }
    }
    let mut connection = streams.connection();
    let users: Vec<String> = redis::cmd("ACL").arg("USERS").query_async(&mut connection).await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let of_namespace = users.into_iter().chain(keys).filter(|known| known.contains(&format!("{namespace}/")));
    // Without the shard, which is by namespace.
    let parts = |known: String| {
        known.split(['{', ':']).next().zip(known.rsplit(':').next()).map(|(kind, of)| format!("{kind} {of}"))
    };
    contents.extend(of_namespace.filter_map(parts).map(|known| plain(&known, namespace)));
    contents.sort();
    contents
}

fn ours(object: &DynamicObject, namespace: &str) -> Value {
    let metadata = &object.metadata;
    let mut data = json!({
        "labels": metadata.labels, "annotations": metadata.annotations, "finalizers": metadata.finalizers,
        "spec": object.data["spec"], "status": object.data["status"],
    });
    simplify(&mut data, namespace);
    data
}

/// Of the children only what their owners decide about.
fn others(kind: &str, object: &DynamicObject) -> Value {
    let names = |list: &Value| -> Vec<Value> {
        list.as_array().into_iter().flatten().map(|item| item["name"].clone()).collect()
    };
    match kind {
        "Pod" => json!(names(&object.data["spec"]["containers"])),
        "PersistentVolumeClaim" => object.data["spec"]["resources"]["requests"]["storage"].clone(),
        "Secret" => json!(object.data["data"].as_object().map(|data| data.keys().cloned().collect::<Vec<_>>())),
        _ => Value::Null,
    }
}

/// Takes out times, uids, and what is made of them.
fn simplify(value: &mut Value, namespace: &str) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                let is_time =
                    ["Time", "time", "Since", "periodStart", "periodEnd"].iter().any(|end| name.ends_with(end));
                !is_time && !name.to_lowercase().ends_with("uid") && name != "cursor" && name != MANIFEST_HASH
            });
            fields.values_mut().for_each(|value| simplify(value, namespace));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| simplify(value, namespace)),
        Value::String(text) => *text = plain(text, namespace),
        _ => {}
    }
}

/// A text without the namespace, times, and what names are made of that were made up.
fn plain(text: &str, namespace: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        if bare.parse::<Timestamp>().is_ok() {
            return word.replace(bare, "TIME");
        }
        match bare.rsplit_once('-') {
            Some((stem, end))
                if end.len() >= 8 && end.trim_start_matches('t').chars().all(|c| c.is_ascii_hexdigit()) =>
            {
                word.replace(bare, &format!("{stem}-MADE"))
            }
            _ => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ").replace(namespace, "NAMESPACE")
}
