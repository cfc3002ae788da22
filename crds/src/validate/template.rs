use serde_json::Value;

use super::{
    Cause,
    names::{check_model, check_object_name},
    pod,
    typed::check_type,
};
use crate::v1beta1::KomputerAgentTemplateSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerAgentTemplateSpec>("spec", spec, causes);
    check_model("spec.model.name", spec.pointer("/model/name"), causes);
    for part in ["name", "namespace"] {
        let value = spec.pointer("/model/apiKeySecretRef").and_then(|reference| reference.get(part));
        check_object_name(&format!("spec.model.apiKeySecretRef.{part}"), value, causes);
    }
    pod::check_template("spec.podTemplate", spec.get("podTemplate"), causes);
}
