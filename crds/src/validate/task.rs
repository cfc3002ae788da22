use serde_json::Value;

use super::{
    Cause,
    names::{check_model, check_object_name},
    typed::check_type,
};
use crate::v1beta1::KomputerTaskSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerTaskSpec>("spec", spec, causes);
    check_model("spec.model", spec.get("model"), causes);
    check_object_name("spec.agentRef.name", spec.pointer("/agentRef/name"), causes);
    if let Some(amount) = spec.get("maxCostUSD")
        && amount.as_str().is_some_and(|amount| amount.chars().all(|c| matches!(c, '0' | '.')))
    {
        causes.push(Cause::invalid(
            "spec.maxCostUSD",
            amount,
            "a task that may cost nothing cannot begin; raise it, or remove it for no limit",
        ));
    }
}
