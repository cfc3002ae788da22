//! Objects as the definitions allow them.
use std::collections::BTreeSet;

use komputer_crds::convert::Version;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A kind that has both versions.
#[derive(Clone, Debug)]
pub struct Kind {
    pub name: String,
    /// Of v1alpha1, then of v1beta1.
    schemas: [Value; 2],
}

/// Kinds that have both versions.
pub fn kinds() -> Vec<Kind> {
    let definitions = komputer_crds::definitions().unwrap().into_iter();
    let converted = definitions.filter(|definition| definition.spec.conversion.is_some());
    let kinds = converted.map(|definition| {
        let value = serde_json::to_value(&definition).unwrap();
        let schema = |version: &str| {
            let mut versions = value["spec"]["versions"].as_array().unwrap().iter();
            versions.find(|found| found["name"] == version).unwrap()["schema"]["openAPIV3Schema"].clone()
        };
        Kind { name: definition.spec.names.kind.clone(), schemas: [schema("v1alpha1"), schema("v1beta1")] }
    });
    kinds.collect()
}

impl Kind {
    /// Objects that the schema of that version allows, as far as structure goes.
    pub fn valid(&self, version: Version) -> BoxedStrategy<Value> {
        let schema = &self.schemas[usize::from(version == Version::V1beta1)];
        let (spec, status) = (of(&schema["properties"]["spec"]), of(&schema["properties"]["status"]));
        let name = self.name.clone();
        (spec, prop::option::of(status))
            .prop_map(move |(spec, status)| {
                let metadata = json!({ "name": "a", "namespace": "n" });
                let mut object =
                    json!({ "apiVersion": version.api_version(), "kind": name, "metadata": metadata, "spec": spec });
                if let Some(status) = status {
                    object["status"] = status;
                }
                object
            })
            .boxed()
    }

    /// Where the object is not as the schema of that version has it: what is missing does not count, nor does a status of
    /// v1beta1, which nobody writes in v1alpha1.
    pub fn violation(&self, version: Version, object: &Value) -> Option<String> {
        let schema = &self.schemas[usize::from(version == Version::V1beta1)]["properties"];
        let parts = if version == Version::V1beta1 { &["spec"][..] } else { &["spec", "status"] };
        parts.iter().find_map(|part| violation(part, &schema[*part], object.get(*part)?))
    }

    /// Every name of a field, and every word, of both versions.
    pub fn names_and_words(&self) -> (Vec<String>, Vec<String>) {
        let (mut names, mut words) = (BTreeSet::new(), BTreeSet::new());
        self.schemas.iter().for_each(|schema| collect(schema, &mut names, &mut words));
        (names.into_iter().collect(), words.into_iter().collect())
    }
}

fn violation(path: &str, schema: &Value, value: &Value) -> Option<String> {
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Some(format!("{path} is {value}"));
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(fields)) => fields.iter().find_map(|(name, value)| {
            let known = schema["properties"].get(name).or(schema.get("additionalProperties"));
            let path = format!("{path}.{name}");
            match known {
                Some(schema) => violation(&path, schema, value),
                None if schema["x-kubernetes-preserve-unknown-fields"] == true => None,
                None => Some(format!("there is no {path}")),
            }
        }),
        (Some("array"), Value::Array(items)) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| violation(&format!("{path}[{index}]"), &schema["items"], item)),
        (Some("string"), Value::String(_))
        | (Some("integer"), Value::Number(_))
        | (Some("boolean"), Value::Bool(_)) => None,
        _ => Some(format!("{path} is {value}")),
    }
}

fn collect(schema: &Value, names: &mut BTreeSet<String>, words: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        names.insert(name.clone());
        collect(field, names, words);
    }
    words.extend(schema["enum"].as_array().into_iter().flatten().filter_map(|word| Some(word.as_str()?.to_owned())));
    collect_if_there(schema.get("items"), names, words);
    collect_if_there(schema.get("additionalProperties"), names, words);
}

fn collect_if_there(schema: Option<&Value>, names: &mut BTreeSet<String>, words: &mut BTreeSet<String>) {
    if let Some(schema) = schema {
        collect(schema, names, words);
    }
}

fn of(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(words) = schema["enum"].as_array() {
        return prop::sample::select(words.clone()).boxed();
    }
    match schema["type"].as_str() {
        Some("string") => "[a-z0-9/]{1,4}".prop_map(Value::from).boxed(),
        Some("integer") => (-9..99i64).prop_map(Value::from).boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("array") => list(schema),
        Some("object") if schema.get("additionalProperties").is_some() => {
            let values = of(&schema["additionalProperties"]);
            prop::collection::btree_map("[a-z./]{1,5}", values, 0..3)
                .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into())
                .boxed()
        }
        Some("object") if schema.get("properties").is_none() => {
            prop::sample::select(vec![json!({}), json!({ "containers": [{ "name": "agent" }], "x": null })]).boxed()
        }
        Some("object") => object(schema),
        _ => Just(Value::Null).boxed(),
    }
}

fn list(schema: &Value) -> BoxedStrategy<Value> {
    let keys = schema["x-kubernetes-list-map-keys"].as_array().cloned();
    prop::collection::vec(of(&schema["items"]), 0..3)
        .prop_map(move |items| {
            let mut seen = BTreeSet::new();
            let key = |item: &Value| {
                let keys = keys.iter().flatten();
                keys.map(|key| item[key.as_str().unwrap_or_default()].to_string()).collect::<String>()
            };
            items.into_iter().filter(|item| keys.is_none() || seen.insert(key(item))).collect()
        })
        .boxed()
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let required: BTreeSet<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut fields = Just(Map::new()).boxed();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = required.contains(name.as_str());
        let value = if is_required { of(field).prop_map(Some).boxed() } else { prop::option::of(of(field)).boxed() };
        let name = name.clone();
        fields = (fields, value)
            .prop_map(move |(mut fields, value)| {
                fields.extend(value.map(|value| (name.clone(), value)));
                fields
            })
            .boxed();
    }
    fields.prop_map(Value::from).boxed()
}
