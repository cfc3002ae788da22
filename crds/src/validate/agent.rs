use serde_json::Value;

use super::{
    Cause,
    duration::check_duration,
    names::{check_model, check_object_name, check_references},
    pod,
    typed::check_type,
    volume::check_secret_name,
};
use crate::v1beta1::KomputerAgentSpec;

/// Checks the spec of an agent at `field`.
pub(super) fn check(field: &str, spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerAgentSpec>(field, spec, causes);
    check_model(&format!("{field}.model"), spec.get("model"), causes);
    for reference in ["templateRef", "managerRef"] {
        let name = spec.get(reference).and_then(|reference| reference.get("name"));
        check_object_name(&format!("{field}.{reference}.name"), name, causes);
    }
    for list in ["secretRefs", "skills", "memories", "connectors"] {
        check_references(&format!("{field}.{list}"), spec.get(list), causes);
    }
    for (index, reference) in spec.get("secretRefs").and_then(Value::as_array).into_iter().flatten().enumerate() {
        check_secret_name(&format!("{field}.secretRefs[{index}].name"), reference.get("name"), causes);
    }
    for length in ["idleTimeout", "ttlAfterFinished"] {
        let value = spec.get("lifecycle").and_then(|lifecycle| lifecycle.get(length));
        check_duration(&format!("{field}.lifecycle.{length}"), value, causes);
    }
    pod::check_template(&format!("{field}.podTemplate"), spec.get("podTemplate"), causes);
}
