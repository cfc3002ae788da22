use serde_json::Value;

use super::{
    Cause,
    names::{is_label_key, is_label_value},
    schedule::check_time_zone,
    typed::check_type,
};
use crate::v1beta1::KomputerBudgetSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerBudgetSpec>("spec", spec, causes);
    check_time_zone("spec.timeZone", spec.get("timeZone"), causes);
    let Some(selector) = spec.get("selector") else { return };
    for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        check_label(&format!("spec.selector.matchLabels.{key}"), key, Some(value), causes);
    }
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for (index, expression) in expressions.into_iter().flatten().enumerate() {
        let field = format!("spec.selector.matchExpressions[{index}]");
        if let Some(key) = expression.get("key").and_then(Value::as_str) {
            check_label(&format!("{field}.key"), key, None, causes);
        }
    }
}

fn check_label(field: &str, key: &str, value: Option<&Value>, causes: &mut Vec<Cause>) {
    let of_value = value.and_then(Value::as_str).is_none_or(is_label_value);
    if !is_label_key(key) || !of_value {
        let form = "a label's name and value have letters, digits, '-', '_' and '.', at most 63; correct it";
        causes.push(Cause::invalid(field, value.unwrap_or(&key.into()), form));
    }
}
