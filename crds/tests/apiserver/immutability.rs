use serde_json::{Value, json};

use crate::cluster::{cluster, object, quietly, reference_examples, turn};

/// Neither by another value nor by leaving it out.
#[test]
fn i1_immutable_fields_of_the_examples_stay() {
    let (cluster, _turn) = (cluster(), turn());
    quietly(&cluster, &["create", "namespace", "immutable"], "");
    let mut tried = 0;
    for (definition, (plural, yaml)) in komputer_crds::definitions().unwrap().iter().zip(reference_examples()) {
        quietly(&cluster, &["apply", "-n", "immutable", "-f", "-"], &yaml);
        let example = object(&yaml);
        let stored = definition.spec.versions.iter().find(|version| version.storage).unwrap();
        let schema = serde_json::to_value(stored.schema.as_ref().unwrap().open_api_v3_schema.as_ref()).unwrap();
        for (field, schema) in immutable(&schema["properties"]["spec"]) {
            let Some(value) = example["spec"].get(&field) else { continue };
            let path = format!("/spec/{field}");
            let other = another(value, schema).map(|other| json!({ "op": "replace", "path": path, "value": other }));
            for patch in [json!({ "op": "remove", "path": path })].into_iter().chain(other) {
                let patch = json!([patch]).to_string();
                let name = example["metadata"]["name"].as_str().unwrap();
                let arguments = ["patch", "-n", "immutable", &plural, name, "--type=json", "-p", &patch];
                let ended = cluster.try_kubectl(&arguments, "").unwrap();
                assert_ne!(ended.code, Some(0), "{plural}: {patch} was taken");
                let told = ended.stderr.contains("is immutable") || ended.stderr.contains("Required value");
                assert!(told, "{plural}: {patch}: {}", ended.stderr);
                tried += 1;
            }
        }
    }
    assert!(tried >= 10, "{tried} changes");
}

/// The fields of a spec that transition rules are about, with their schemas.
fn immutable(spec: &Value) -> Vec<(String, &Value)> {
    let transitions = |schema: &Value| {
        let rules = schema["x-kubernetes-validations"].as_array().cloned().unwrap_or_default();
        let restricts =
            |rule: &Value| rule["rule"].as_str().unwrap().contains("oldSelf") && rule["optionalOldSelf"] != true;
        rules.into_iter().filter(restricts).collect::<Vec<_>>()
    };
    let pointed = transitions(spec);
    let pointed: Vec<&str> = pointed.iter().filter_map(|rule| rule["fieldPath"].as_str()?.strip_prefix('.')).collect();
    let fields = spec["properties"].as_object().into_iter().flatten();
    let frozen = fields.filter(|(name, field)| pointed.contains(&name.as_str()) || !transitions(field).is_empty());
    frozen.map(|(name, field)| (name.clone(), field)).collect()
}

/// Another value that the schema takes, where there is one.
fn another(value: &Value, schema: &Value) -> Option<Value> {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().find(|word| *word != value).cloned();
    }
    Some(match value {
        Value::String(text) => json!(format!("{text}1")),
        Value::Number(number) => json!(number.as_i64()? + 1),
        Value::Object(fields) => {
            let other =
                |(name, value): (&String, &Value)| Some((name.clone(), another(value, &schema["properties"][name])?));
            fields.iter().map(other).collect::<Option<_>>()?
        }
        _ => return None,
    })
}
