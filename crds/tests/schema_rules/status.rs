//! S: what komputer says of an object.
use serde_json::{Value, json};

use crate::definition::{Definition, broken, check, text};

fn each_status(definition: &Definition, breach: impl Fn(&Value, &Value) -> Option<String>) -> Vec<String> {
    let versions = definition.versions().iter();
    let statuses =
        versions.filter_map(|version| Some((version, version.pointer("/schema/openAPIV3Schema/properties/status")?)));
    let found = statuses.filter_map(|(version, status)| Some((version, breach(version, status)?)));
    found
        .map(|(version, breach)| format!("{}/{}.status {breach}", definition.plural(), text(&version["name"])))
        .collect()
}

/// Without the default an object that nobody has seen yet counts as ready.
#[test]
fn s1_an_unseen_object_is_not_ready() {
    let breaches = |definition: &Definition| {
        each_status(definition, |version, status| {
            let counts = status.pointer("/properties/observedGeneration/format") == Some(&json!("int64"));
            let unseen = status["default"] == json!({ "observedGeneration": -1 });
            // A version that is only converted to may show nothing of it.
            let silent = version["storage"] != true && status.pointer("/properties/observedGeneration").is_none();
            let right = silent || (counts && unseen);
            (!right).then(|| "does not begin with observedGeneration -1".into())
        })
    };
    let broken = [
        broken(|definition| _ = definition.field_mut("status").as_object_mut().unwrap().remove("default")),
        broken(|definition| {
            _ = definition.field_mut("status")["properties"].as_object_mut().unwrap().remove("observedGeneration");
        }),
    ];
    check("S1", breaches, broken);
}

/// A phase is for people; programs wait for conditions.
#[test]
fn s13_no_status_is_a_phase_alone() {
    let breaches = |definition: &Definition| {
        each_status(definition, |_, status| {
            let has = |field: &str| status["properties"].get(field).is_some();
            (!has("conditions")).then(|| "has no conditions".into())
        })
    };
    check(
        "S13",
        breaches,
        [broken(|d| _ = d.field_mut("status")["properties"].as_object_mut().unwrap().remove("conditions"))],
    );
}

/// Two writers' conditions live side by side only in a map.
#[test]
fn s14_conditions_are_a_map_by_type() {
    let breaches = |definition: &Definition| {
        each_status(definition, |_, status| {
            let conditions = status.pointer("/properties/conditions")?;
            let map = conditions["x-kubernetes-list-type"] == "map"
                && conditions["x-kubernetes-list-map-keys"] == json!(["type"]);
            (!map).then(|| "has conditions that are no map by type".into())
        })
    };
    check("S14", breaches, [broken(|d| d.field_mut("status.conditions")["x-kubernetes-list-type"] = json!("atomic"))]);
}
