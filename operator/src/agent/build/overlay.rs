//! Lays a part of a PodSpec over another: objects are merged, lists of named things by name, other values replaced.
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

/// `spec` with `changes` laid over it, or as it was where the result is not a PodSpec; admission has checked that it is.
pub(super) fn overlay(spec: &PodSpec, changes: &Value) -> PodSpec {
    let Ok(mut value) = serde_json::to_value(spec) else { return spec.clone() };
    merge(&mut value, changes);
    serde_json::from_value(value).unwrap_or_else(|_| spec.clone())
}

fn merge(target: &mut Value, changes: &Value) {
    match (target, changes) {
        (Value::Object(target), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(target.entry(key).or_insert(Value::Null), change);
            }
        }
        (Value::Array(target), Value::Array(changes))
            if changes.iter().all(is_named) && target.iter().all(is_named) =>
        {
            for change in changes {
                match target.iter_mut().find(|item| item["name"] == change["name"]) {
                    Some(item) => merge(item, change),
                    None => target.push(change.clone()),
                }
            }
        }
        (target, changes) => *target = changes.clone(),
    }
}

fn is_named(item: &Value) -> bool {
    item.get("name").is_some_and(Value::is_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn named_things_are_merged_and_the_rest_replaced() {
        let mut target = json!({
            "containers": [{"name": "agent", "image": "a:1", "env": [{"name": "A", "value": "1"}], "command": ["x"]}],
            "restartPolicy": "Always",
        });
        let changes = json!({
            "containers": [
                {"name": "agent", "image": "a:2", "env": [{"name": "B", "value": "2"}], "command": ["y", "z"]},
                {"name": "proxy", "image": "p:1"},
            ],
            "nodeSelector": {"disk": "ssd"},
        });
        merge(&mut target, &changes);
        let expected = json!({
            "containers": [
                {
                    "name": "agent", "image": "a:2", "command": ["y", "z"],
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                },
                {"name": "proxy", "image": "p:1"},
            ],
            "restartPolicy": "Always",
            "nodeSelector": {"disk": "ssd"},
        });
        assert_eq!(target, expected);
    }

    #[test]
    fn what_is_no_pod_changes_nothing() {
        let spec = PodSpec { node_name: Some("n".into()), ..Default::default() };
        assert_eq!(overlay(&spec, &json!({"containers": "many"})), spec);
    }
}
