//! JSON Schemas of every kind and version, for editors and for checks without a cluster.
//!
//! They say what the apiserver says by schema: unknown fields are refused where it would refuse or prune them, and `null`
//! where server-side apply would. A CEL rule about a form is a pattern with the rule's message.
use std::collections::BTreeMap;

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::name_limit::NameLimit;

/// The schema of every kind and version, by the path that kubeconform and the CRDs catalog have it at:
/// `<group>/<kind>_<version>.json`, the kind in lower case.
///
/// # Errors
/// Never for what [`crate::definitions`] returns.
pub fn json_schemas(definitions: &[CustomResourceDefinition]) -> Result<BTreeMap<String, Value>, serde_json::Error> {
    let mut schemas = BTreeMap::new();
    for definition in definitions {
        let (group, kind) = (&definition.spec.group, &definition.spec.names.kind);
        for version in &definition.spec.versions {
            let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
            let schema = object(serde_json::to_value(schema)?, group, &version.name, kind);
            schemas.insert(format!("{group}/{}_{}.json", kind.to_lowercase(), version.name), schema);
        }
    }
    Ok(schemas)
}

/// The schema of a whole object, with the fields that a definition leaves to the apiserver.
fn object(mut schema: Value, group: &str, version: &str, kind: &str) -> Value {
    let longest_name = longest_name(&schema);
    let word = |word: &str, description: &str| json!({ "type": "string", "enum": [word], "description": description });
    schema["properties"]["apiVersion"] = word(&format!("{group}/{version}"), "The API version of the object.");
    schema["properties"]["kind"] = word(kind, "The kind of the object.");
    schema["properties"]["metadata"] = metadata(longest_name);
    let mut required = json!(["apiVersion", "kind", "metadata"]);
    if let (Some(all), Some(own)) = (required.as_array_mut(), schema["required"].as_array_mut()) {
        all.append(own);
    }
    schema["required"] = required;
    tighten(&mut schema);
    each_optional_field(&mut schema["properties"]["metadata"], &allow_null);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema
}

/// Labels, annotations and what else every object may have.
fn metadata(longest_name: Option<u64>) -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut metadata = settings.into_generator().into_root_schema_for::<ObjectMeta>().to_value();
    if let Some(longest) = longest_name {
        metadata["properties"]["name"]["maxLength"] = longest.into();
    }
    metadata
}

/// What the kind's rule about names allows, where it is about their length alone.
fn longest_name(schema: &Value) -> Option<u64> {
    let rules = schema["x-kubernetes-validations"].as_array()?;
    rules.iter().find_map(|rule| NameLimit::characters_of(rule["rule"].as_str()?))
}

/// Makes a schema, and all below it, say what the apiserver says.
fn tighten(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    take_forms(fields);
    refuse_unknown_fields(fields);
    if fields.remove("x-kubernetes-int-or-string").is_some() {
        fields.insert("type".into(), json!(["integer", "string"]));
    }
    if matches!(fields.get("x-kubernetes-list-type").and_then(Value::as_str), Some("map" | "set")) {
        fields.insert("uniqueItems".into(), true.into());
    }
    if fields.get("format").is_some_and(|format| format == "int32") {
        fields.entry("minimum").or_insert(i32::MIN.into());
        fields.entry("maximum").or_insert(i32::MAX.into());
    }
    fields.remove("nullable");
    fields.retain(|key, _| !key.starts_with("x-kubernetes-"));
    for bound in ["minimum", "maximum"] {
        if let Some(whole) = fields.get(bound).and_then(whole) {
            fields.insert(bound.into(), whole);
        }
    }
    for below in ["items", "additionalProperties"] {
        if let Some(below) = fields.get_mut(below) {
            tighten(below);
        }
    }
    for (_, field) in fields.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        tighten(field);
        if field.get("default").is_some() {
            allow_null(field);
        }
    }
}

/// Changes every field that may be absent, and those below it.
fn each_optional_field(schema: &mut Value, change: &impl Fn(&mut Value)) {
    let required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        each_optional_field(field, change);
        if !required.contains(&name.as_str().into()) {
            change(field);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        each_optional_field(items, change);
    }
}

/// What the apiserver prunes it refuses where it is asked to be strict, as by server-side apply.
fn refuse_unknown_fields(schema: &mut Map<String, Value>) {
    let opaque = schema.get("x-kubernetes-preserve-unknown-fields").is_some_and(|opaque| opaque == true);
    if schema.contains_key("properties") && !opaque {
        schema.entry("additionalProperties").or_insert(false.into());
    }
}

/// Rules about the form of a text that a JSON Schema can state too. `patternErrorMessage` is what editors show.
fn take_forms(schema: &mut Map<String, Value>) {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array).cloned().unwrap_or_default();
    for rule in &rules {
        let (text, message) = (rule["rule"].as_str().unwrap_or_default(), &rule["message"]);
        if text == "self != ''" {
            schema.insert("minLength".into(), 1.into());
        } else if let Some(pattern) = text.strip_prefix("self.matches('").and_then(|text| text.strip_suffix("')"))
            && !pattern.contains(['\'', '\\'])
            && !schema.contains_key("pattern")
        {
            schema.insert("pattern".into(), pattern.into());
            schema.insert("patternErrorMessage".into(), message.clone());
        }
    }
}

/// The apiserver takes `null` for absent where there is a default, and in metadata.
fn allow_null(schema: &mut Value) {
    if let Some(type_) = schema.get("type").cloned() {
        let mut types = if let Value::Array(types) = type_ { types } else { vec![type_] };
        types.push("null".into());
        schema["type"] = types.into();
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
}

/// A definition holds bounds as floats.
#[expect(clippy::cast_possible_truncation, reason = "only a number without a fraction is taken")]
fn whole(number: &Value) -> Option<Value> {
    let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 2f64.powi(53))?;
    Some((number as i64).into())
}
