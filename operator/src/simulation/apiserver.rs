//! The apiserver: objects, versions, preconditions and watches, as far as the operator relies on them.
use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A kind by its plural.
pub(super) type Plural = String;
/// Where an object is: its kind, its namespace and its name.
pub(super) type Place = (Plural, String, String);

/// Everything in etcd.
#[derive(Default)]
pub(super) struct Apiserver {
    pub(super) objects: BTreeMap<Place, Value>,
    pub(super) now: Timestamp,
    version: u64,
    uids: u64,
    watches: BTreeMap<u64, Watch>,
    /// What has happened to which kind, by version.
    history: BTreeMap<u64, (Plural, Value)>,
}

/// An open watch, and what it has not been told yet.
struct Watch {
    plural: Plural,
    selector: Option<(String, String)>,
    untold: VecDeque<Value>,
}

/// An answer: its code and its body.
pub(super) type Answer = (u16, Value);

/// A refusal in the apiserver's form.
pub(super) fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    (
        code,
        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message }),
    )
}

fn conflict(message: &str) -> Answer {
    refusal(409, "Conflict", message)
}

/// What is written, and how.
pub(super) struct Patch {
    pub(super) of_status: bool,
    pub(super) is_apply: bool,
    pub(super) body: Value,
}

impl Apiserver {
    pub(super) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&(plural.into(), namespace.into(), name.into()))
    }

    /// The objects of a kind.
    pub(super) fn all<'a>(&'a self, plural: &'a str) -> impl Iterator<Item = (&'a Place, &'a Value)> {
        let first = (plural.to_owned(), String::new(), String::new());
        self.objects.range(first..).take_while(move |((of, _, _), _)| of == plural)
    }

    pub(super) fn has_uid(&self, uid: &str) -> bool {
        self.objects.values().any(|object| object["metadata"]["uid"] == uid)
    }

    pub(super) fn list(&self, plural: &str, selector: Option<&(String, String)>) -> Value {
        let items: Vec<_> =
            self.all(plural).map(|(_, object)| object).filter(|found| selects(selector, found)).collect();
        json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": self.version.to_string() }, "items": items })
    }

    /// Begins to watch what has happened after `version`.
    pub(super) fn watch(&mut self, id: u64, plural: &str, selector: Option<(String, String)>, version: u64) {
        let since = self.history.range(version + 1..).map(|(_, event)| event);
        let untold = since.filter(|(of, event)| of == plural && selects(selector.as_ref(), &event["object"]));
        let untold = untold.map(|(_, event)| event.clone()).collect();
        self.watches.insert(id, Watch { plural: plural.into(), selector, untold });
    }

    pub(super) fn unwatch(&mut self, id: u64) {
        self.watches.remove(&id);
    }

    /// The watches that have not been told everything.
    pub(super) fn behind(&self) -> Vec<(u64, Plural)> {
        let behind = self.watches.iter().filter(|(_, watch)| !watch.untold.is_empty());
        behind.map(|(id, watch)| (*id, watch.plural.clone())).collect()
    }

    /// What the watch is to be told next.
    pub(super) fn tell(&mut self, id: u64) -> Option<Value> {
        self.watches.get_mut(&id)?.untold.pop_front()
    }

    pub(super) fn create(&mut self, place: Place, mut object: Value) -> Answer {
        if self.objects.contains_key(&place) {
            return refusal(409, "AlreadyExists", "already exists");
        }
        self.uids += 1;
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.insert("uid".into(), format!("uid-{}", self.uids).into());
        metadata.insert("creationTimestamp".into(), seconds(self.now).into());
        metadata.insert("generation".into(), 1.into());
        metadata.insert("name".into(), place.2.clone().into());
        if !place.1.is_empty() {
            metadata.insert("namespace".into(), place.1.clone().into());
        }
        if place.0 == "persistentvolumeclaims" {
            metadata.insert("finalizers".into(), json!(["kubernetes.io/pvc-protection"]));
        }
        if place.0 == "secrets" {
            object.as_object_mut().unwrap().remove("stringData");
        }
        self.store(place, object, "ADDED")
    }

    pub(super) fn patch(&mut self, place: Place, patch: Patch) -> Answer {
        let wants = |key: &str| patch.body["metadata"][key].as_str().map(str::to_owned);
        let Some(before) = self.objects.get(&place).cloned() else {
            return match (patch.is_apply && !patch.of_status, wants("uid")) {
                (false, _) => refusal(404, "NotFound", "not found"),
                (true, Some(_)) => conflict("no object of that uid"),
                (true, None) => {
                    let mut object = patch.body;
                    object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
                    self.create(place, object)
                }
            };
        };
        for key in ["uid", "resourceVersion"] {
            if wants(key).is_some_and(|wanted| before["metadata"][key] != wanted) {
                return conflict("it is another, or has changed");
            }
        }
        let mut after = before.clone();
        if patch.of_status {
            after["status"] = patch.body["status"].clone();
        } else {
            merge(&mut after, &patch.body, patch.is_apply);
        }
        if after["spec"] != before["spec"] {
            after["metadata"]["generation"] = (before["metadata"]["generation"].as_u64().unwrap_or(0) + 1).into();
        }
        if after == before { (200, after) } else { self.store(place, after, "MODIFIED") }
    }

    /// Deletes an object: gracefully where it is a pod, and once nobody holds it.
    pub(super) fn delete(&mut self, place: &Place, uid: Option<&str>) -> Answer {
        let Some(mut object) = self.objects.get(place).cloned() else { return refusal(404, "NotFound", "not found") };
        if uid.is_some_and(|uid| object["metadata"]["uid"] != uid) {
            return conflict("it is another");
        }
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return (200, object);
        }
        let grace = if place.0 == "pods" { jiff::SignedDuration::from_secs(30) } else { jiff::SignedDuration::ZERO };
        object["metadata"]["deletionTimestamp"] = seconds(self.now + grace).into();
        if place.0 == "pods" {
            return self.store(place.clone(), object, "MODIFIED");
        }
        let answer = self.let_go(place, object);
        if self.objects.contains_key(place) { answer } else { (200, json!({ "kind": "Status", "status": "Success" })) }
    }

    /// An object that nobody holds any more is gone.
    fn let_go(&mut self, place: &Place, object: Value) -> Answer {
        let is_held = object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
        if is_held { self.store(place.clone(), object, "MODIFIED") } else { self.remove(place) }
    }

    /// It is gone at once.
    pub(super) fn remove(&mut self, place: &Place) -> Answer {
        let Some(mut object) = self.objects.remove(place) else { return refusal(404, "NotFound", "not found") };
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.announce(place, &object, "DELETED");
        (200, object)
    }

    /// Changes an object as somebody else than the operator does.
    pub(super) fn change(&mut self, place: &Place, change: impl FnOnce(&mut Value)) {
        let Some(before) = self.objects.get(place).cloned() else { return };
        let mut after = before.clone();
        change(&mut after);
        if after["spec"] != before["spec"] {
            after["metadata"]["generation"] = (before["metadata"]["generation"].as_u64().unwrap_or(0) + 1).into();
        }
        if after != before {
            self.store(place.clone(), after, "MODIFIED");
        }
    }

    fn store(&mut self, place: Place, mut object: Value, what: &str) -> Answer {
        let metadata = &object["metadata"];
        if !metadata["deletionTimestamp"].is_null()
            && place.0 != "pods"
            && metadata["finalizers"].as_array().is_none_or(Vec::is_empty)
        {
            return self.remove(&place);
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.announce(&place, &object, what);
        self.objects.insert(place, object.clone());
        (if what == "ADDED" { 201 } else { 200 }, object)
    }

    fn announce(&mut self, (plural, _, _): &Place, object: &Value, what: &str) {
        for watch in self.watches.values_mut().filter(|watch| watch.plural == *plural) {
            if selects(watch.selector.as_ref(), object) {
                watch.untold.push_back(json!({ "type": what, "object": object }));
            }
        }
        self.history.insert(self.version, (plural.clone(), json!({ "type": what, "object": object })));
    }

    /// Deletes one object whose owner is gone, and lets go of a volume that no pod uses.
    pub(super) fn collect_garbage(&mut self, choose: impl FnOnce(usize) -> usize) -> bool {
        let is_orphan = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array();
            object["metadata"]["deletionTimestamp"].is_null()
                && owners.is_some_and(|owners| {
                    !owners.is_empty() && owners.iter().all(|owner| !self.has_uid(owner["uid"].as_str().unwrap()))
                })
        };
        let is_unused = |place: &Place, object: &Value| {
            place.0 == "persistentvolumeclaims"
                && !object["metadata"]["deletionTimestamp"].is_null()
                && !self.all("pods").any(|(pod, found)| pod.1 == place.1 && mounts(found, &place.2))
        };
        let found: Vec<_> = self
            .objects
            .iter()
            .filter(|(place, object)| is_orphan(object) || is_unused(place, object))
            .map(|(place, _)| place.clone())
            .collect();
        if found.is_empty() {
            return false;
        }
        let place = &found[choose(found.len())];
        if place.0 == "persistentvolumeclaims" && !self.objects[place]["metadata"]["deletionTimestamp"].is_null() {
            self.remove(place);
        } else {
            self.delete(place, None);
        }
        true
    }
}

/// Whether a pod has the workspace of that name.
pub(super) fn mounts(pod: &Value, volume: &str) -> bool {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.into_iter().any(|found| found["persistentVolumeClaim"]["claimName"] == volume)
}

pub(super) fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap().to_string()
}

fn selects(selector: Option<&(String, String)>, object: &Value) -> bool {
    selector.is_none_or(|(key, value)| object["metadata"]["labels"][key] == *value)
}

fn merge(object: &mut Value, body: &Value, is_apply: bool) {
    let mut body = body.clone();
    if let Some(metadata) = body["metadata"].as_object_mut() {
        ["uid", "resourceVersion", "name", "namespace"].into_iter().for_each(|key| drop(metadata.remove(key)));
    }
    if is_apply && !body["spec"].is_null() {
        object["spec"] = Value::Null; // the operator alone says what is in it
    }
    if let Some(fields) = body.as_object_mut() {
        ["status", "stringData"].into_iter().for_each(|key| drop(fields.remove(key)));
    }
    deep(object, &body);
}

fn deep(into: &mut Value, from: &Value) {
    let Value::Object(fields) = from else { return into.clone_from(from) };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (key, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            deep(into.as_object_mut().unwrap().entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
