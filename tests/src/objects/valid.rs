//! Objects as the definitions allow them, as far as structure goes.
use std::collections::BTreeSet;

use komputer_crds::convert::Version;
use serde_json::{Value, json};

use super::{
    Fields, Kind, Result, Unstructured,
    any::{any_value, number, text},
};

impl Kind {
    /// An object that the schema of that version allows.
    ///
    /// # Errors
    /// Never, because bytes that are used up are taken for zeros.
    pub fn valid(&self, version: Version, bytes: &mut Unstructured<'_>) -> Result<Value> {
        let spec = of(self.schema(version, "spec"), bytes)?;
        let mut object = json!({
            "apiVersion": version.api_version(), "kind": self.name,
            "metadata": { "name": "a", "namespace": "n" }, "spec": spec,
        });
        if bytes.arbitrary()? {
            object["status"] = of(self.schema(version, "status"), bytes)?;
        }
        Ok(object)
    }
}

fn of(schema: &Value, bytes: &mut Unstructured<'_>) -> Result<Value> {
    if let Some(words) = schema["enum"].as_array() {
        return bytes.choose(words).cloned();
    }
    Ok(match schema["type"].as_str() {
        Some("string") => text(bytes)?.into(),
        Some("integer") => Some(number(bytes)?).filter(|number| number.is_i64() || number.is_u64()).unwrap_or(0.into()),
        Some("boolean") => bytes.arbitrary::<bool>()?.into(),
        Some("array") => list(schema, bytes)?,
        Some("object") => object(schema, bytes)?.into(),
        _ => Value::Null,
    })
}

fn list(schema: &Value, bytes: &mut Unstructured<'_>) -> Result<Value> {
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let (mut seen, mut items) = (BTreeSet::new(), Vec::new());
    for _ in 0..bytes.int_in_range(0..=3)? {
        let item = of(&schema["items"], bytes)?;
        let key = keys.map(|keys| keys.iter().filter_map(|key| Some(item[key.as_str()?].to_string())).collect());
        if key.is_none_or(|key: Vec<String>| seen.insert(key)) {
            items.push(item);
        }
    }
    Ok(items.into())
}

fn object(schema: &Value, bytes: &mut Unstructured<'_>) -> Result<Fields> {
    let mut fields = Fields::new();
    if let Some(values) = schema.get("additionalProperties") {
        for _ in 0..bytes.int_in_range(0..=3)? {
            fields.insert(text(bytes)?, of(values, bytes)?);
        }
    }
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if required.contains(&name.as_str()) || bytes.arbitrary()? {
            fields.insert(name.clone(), of(field, bytes)?);
        }
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        for _ in 0..bytes.int_in_range(0..=3)? {
            let name = text(bytes)?;
            if schema["properties"].get(&name).is_none() {
                fields.insert(name, any_value(&[], bytes)?);
            }
        }
    }
    Ok(fields)
}
