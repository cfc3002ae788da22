use serde_json::Value;

use super::Cause;

/// Objects and lists within each other that a spec may have. The webhooks read reviews 127 deep, with the object in them, so
/// one that is nearly as deep would be admitted, and every list that it is in could not be converted.
const DEEPEST: usize = 64;

/// Checks that the spec can be read wherever it is sent.
pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    if is_deeper_than(DEEPEST, spec) {
        causes.push(Cause::forbidden("spec", format!("it is nested more than {DEEPEST} levels deep; make it flatter")));
    }
}

fn is_deeper_than(levels: usize, value: &Value) -> bool {
    let Some(below) = levels.checked_sub(1) else { return value.is_object() || value.is_array() };
    match value {
        Value::Object(fields) => fields.values().any(|value| is_deeper_than(below, value)),
        Value::Array(items) => items.iter().any(|value| is_deeper_than(below, value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn levels_are_counted_through_objects_and_lists() {
        assert!(!is_deeper_than(0, &json!(1)) && is_deeper_than(0, &json!([])));
        assert!(!is_deeper_than(2, &json!({ "a": [1] })) && is_deeper_than(2, &json!({ "a": [{}] })));
    }
}
