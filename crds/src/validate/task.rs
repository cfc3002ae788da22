use serde_json::Value;

use super::{
    Cause,
    duration::check_duration,
    names::{check_model, check_object_name},
    typed::check_type,
};
use crate::v1beta1::KomputerTaskSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerTaskSpec>("spec", spec, causes);
    check_model("spec.model", spec.get("model"), causes);
    check_object_name("spec.agentRef.name", spec.pointer("/agentRef/name"), causes);
    check_duration("spec.deadline", spec.get("deadline"), causes);
    check_limit("spec.maxCostUSD", spec.get("maxCostUSD"), causes);
}

/// Checks that a task may cost something.
pub(super) fn check_limit(field: &str, limit: Option<&Value>, causes: &mut Vec<Cause>) {
    if let Some(amount) = limit
        && amount.as_str().is_some_and(|amount| amount.chars().all(|c| matches!(c, '0' | '.')))
    {
        let why = "a task that may cost nothing cannot begin; raise it, or remove it for no limit";
        causes.push(Cause::invalid(field, amount, why));
    }
}
