//! What one version cannot say of the other, kept until the way back.
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Fields;

/// What an object's version cannot say of the other version's fields.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    #[serde(default, skip_serializing_if = "Changes::is_empty")]
    pub(super) spec: Changes,
    #[serde(default, skip_serializing_if = "Changes::is_empty")]
    pub(super) status: Changes,
    /// The object's own annotations that would be taken for kept fields, or be overwritten by them.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub(super) annotations: Fields,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.spec.is_empty() && self.status.is_empty() && self.annotations.is_empty()
    }
}

/// Changes by JSON pointer.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(transparent)]
pub(super) struct Changes(pub(super) BTreeMap<String, Change>);

/// A field that translation gives one value and that has another.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(try_from = "WrittenChange", into = "WrittenChange")]
pub(super) struct Change {
    was: Was,
    /// What it is; removed where absent.
    is: Option<Value>,
}

/// What translation makes of a field.
#[derive(Clone, Debug, PartialEq)]
enum Was {
    Absent,
    Short(Value),
    /// The SHA-256 of what is long: all annotations of an object together may have 256 KiB.
    Long(String),
}

/// Bytes of JSON up to which a value is short.
const SHORT: usize = 128;

impl Was {
    fn of(value: Option<&Value>) -> Self {
        let Some(value) = value else { return Self::Absent };
        let text = value.to_string();
        if text.len() <= SHORT { Self::Short(value.clone()) } else { Self::Long(hex::encode(Sha256::digest(text))) }
    }
}

/// A change as JSON.
#[derive(Serialize, Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenChange {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    was: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was_digest: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    is: Option<Value>,
}

impl From<Change> for WrittenChange {
    fn from(Change { was, is }: Change) -> Self {
        let (was, was_digest) = match was {
            Was::Absent => (None, None),
            Was::Short(value) => (Some(value), None),
            Was::Long(digest) => (None, Some(digest)),
        };
        Self { was, was_digest, is }
    }
}

impl TryFrom<WrittenChange> for Change {
    type Error = &'static str;

    fn try_from(WrittenChange { was, was_digest, is }: WrittenChange) -> Result<Self, &'static str> {
        let was = match (was, was_digest) {
            (None, None) => Was::Absent,
            (Some(value), None) => Was::Short(value),
            (None, Some(digest)) => Was::Long(digest),
            (Some(_), Some(_)) => return Err("a change has `was` or `wasDigest`, not both"),
        };
        Ok(Self { was, is })
    }
}

/// `null` is a value, other than no value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }

    /// Those of fields that are translated. Somebody may have written others, and what passes as it is they would overwrite.
    pub(super) fn of_translated(&self, is_translated: impl Fn(&str) -> bool) -> Self {
        let is_of_one = |path: &str| path.split('/').nth(1).is_some_and(|name| is_translated(&unescape(name)));
        Self(
            self.0
                .iter()
                .filter(|(path, _)| is_of_one(path))
                .map(|(path, change)| (path.clone(), change.clone()))
                .collect(),
        )
    }

    /// What turns `translated` into `original`.
    pub(super) fn between(translated: &Fields, original: &Fields) -> Self {
        let mut changes = Self::default();
        changes.compare("", translated, original);
        changes
    }

    fn compare(&mut self, path: &str, translated: &Fields, original: &Fields) {
        // Nearly all are equal, and cost no path.
        for (name, is) in original.iter().filter(|(name, is)| translated.get(*name) != Some(is)) {
            self.compare_one(&format!("{path}/{}", escape(name)), translated.get(name), is);
        }
        for (name, was) in translated.iter().filter(|(name, _)| !original.contains_key(*name)) {
            self.0.insert(format!("{path}/{}", escape(name)), Change { was: Was::of(Some(was)), is: None });
        }
    }

    fn compare_one(&mut self, path: &str, was: Option<&Value>, is: &Value) {
        match (was, is) {
            (Some(Value::Object(was)), Value::Object(is)) => self.compare(path, was, is),
            (None, Value::Object(is)) if !is.is_empty() => self.compare(path, &Fields::new(), is),
            _ => {
                self.0.insert(path.into(), Change { was: Was::of(was), is: Some(is.clone()) });
            }
        }
    }

    /// Makes the changes to `fields`, except where a field no longer has the value that the change is to.
    pub(super) fn apply(&self, fields: &mut Fields) {
        for (path, change) in &self.0 {
            let names: Vec<String> = path.split('/').skip(1).map(unescape).collect();
            if let Some((name, parents)) = names.split_last() {
                change.apply(fields, parents, name);
            }
        }
    }
}

impl Change {
    fn apply(&self, fields: &mut Fields, parents: &[String], name: &str) {
        if Was::of(get(fields, parents).and_then(|parent| parent.get(name))) != self.was {
            return;
        }
        match &self.is {
            Some(value) => get_or_insert(fields, parents).and_then(|parent| parent.insert(name.into(), value.clone())),
            None => get_mut(fields, parents).and_then(|parent| parent.remove(name)),
        };
    }
}

fn get<'a>(fields: &'a Fields, path: &[String]) -> Option<&'a Fields> {
    path.iter().try_fold(fields, |fields, name| fields.get(name)?.as_object())
}

fn get_mut<'a>(fields: &'a mut Fields, path: &[String]) -> Option<&'a mut Fields> {
    path.iter().try_fold(fields, |fields, name| fields.get_mut(name)?.as_object_mut())
}

fn get_or_insert<'a>(fields: &'a mut Fields, path: &[String]) -> Option<&'a mut Fields> {
    path.iter().try_fold(fields, |fields, name| {
        fields.entry(name.as_str()).or_insert_with(|| Fields::new().into()).as_object_mut()
    })
}

/// As JSON pointers have it, RFC 6901.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    fn apply(changes: &Value, to: Value) -> Value {
        let changes: Changes = serde_json::from_value(changes.clone()).unwrap();
        let mut to = fields(to);
        changes.apply(&mut to);
        to.into()
    }

    #[test]
    fn changes_say_where_two_objects_differ() {
        let translated = fields(json!({ "same": 1, "role": "Worker", "lifecycle": { "afterTask": "Sleep" } }));
        let original = fields(json!({
            "same": 1, "lifecycle": { "afterTask": "Sleep", "idleTimeout": "10m" }, "suspend": null, "empty": {},
            "a/b~c": { "deep": true },
        }));
        let changes = Changes::between(&translated, &original);
        let expected = json!({
            "/role": { "was": "Worker" }, "/lifecycle/idleTimeout": { "is": "10m" }, "/suspend": { "is": null },
            "/empty": { "is": {} }, "/a~1b~0c/deep": { "is": true },
        });
        assert_eq!(serde_json::to_value(&changes).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Changes>(expected.clone()).unwrap(), changes);
        assert_eq!(apply(&expected, translated.into()), Value::from(original));
    }

    #[test]
    fn a_change_to_a_field_with_another_value_is_dropped() {
        let changes = json!({ "/role": { "was": "Worker" }, "/secretRefs": { "was": [], "is": [{ "name": "a" }] } });
        let edited = json!({ "role": "Manager", "secretRefs": [{ "name": "b" }] });
        assert_eq!(apply(&changes, edited.clone()), edited);
    }

    #[test]
    fn what_is_long_is_kept_once() {
        let members =
            |prompt: &str| json!({ "members": [{ "spec": { "instructions": "i".repeat(1_000), "p": prompt } }] });
        let (translated, original) = (members("a"), members("b"));
        let changes = Changes::between(&fields(translated.clone()), &fields(original.clone()));
        let written = serde_json::to_value(&changes).unwrap();
        assert!(written.to_string().len() < 1_200, "{written}");
        assert_eq!(apply(&written, translated), original);
        let edited = members("c");
        assert_eq!(apply(&written, edited.clone()), edited);
    }

    #[test]
    fn what_is_to_be_removed_and_is_not_there_leaves_nothing() {
        assert_eq!(apply(&json!({ "/lifecycle/idleTimeout": {} }), json!({})), json!({}));
    }

    #[test]
    fn changes_of_what_is_not_translated_are_dropped() {
        let changes: Changes =
            serde_json::from_value(json!({ "/model": { "is": 1 }, "/a~1b/c": { "is": 2 }, "": {} })).unwrap();
        let left = serde_json::to_value(changes.of_translated(|name| name == "a/b")).unwrap();
        assert_eq!(left, json!({ "/a~1b/c": { "is": 2 } }));
    }

    #[test]
    fn changes_below_something_that_is_no_object_are_dropped() {
        let changes = json!({ "/lifecycle/idleTimeout": { "is": "10m" } });
        assert_eq!(apply(&changes, json!({ "lifecycle": "Sleep" })), json!({ "lifecycle": "Sleep" }));
        assert_eq!(apply(&changes, json!({})), json!({ "lifecycle": { "idleTimeout": "10m" } }));
    }
}
