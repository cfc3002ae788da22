use serde_json::Value;

use super::{
    Cause,
    names::{check_model, check_object_name, check_references},
    pod,
    typed::check_type,
    volume::check_secret_name,
};
use crate::v1beta1::KomputerAgentSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerAgentSpec>("spec", spec, causes);
    check_model("spec.model", spec.get("model"), causes);
    check_object_name("spec.templateRef.name", spec.pointer("/templateRef/name"), causes);
    for list in ["secretRefs", "skills", "memories", "connectors"] {
        check_references(&format!("spec.{list}"), spec.get(list), causes);
    }
    for (index, reference) in spec.get("secretRefs").and_then(Value::as_array).into_iter().flatten().enumerate() {
        check_secret_name(&format!("spec.secretRefs[{index}].name"), reference.get("name"), causes);
    }
    pod::check_template("spec.podTemplate", spec.get("podTemplate"), causes);
}
