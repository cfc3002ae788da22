//! Values that have to be of a type that Kubernetes, or komputer, defines.
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Cause;

/// Checks that the value at `field` can be read as a `T`.
pub(super) fn check_type<T: DeserializeOwned>(field: &str, value: &Value, causes: &mut Vec<Cause>) {
    if let Err(error) = T::deserialize(value) {
        causes.push(Cause::invalid(field, value, format!("{error}; correct it")));
    }
}

/// Checks that `fields`, at `field`, can be read as those of a `T`, each on its own, and that a `T` has all of them.
///
/// `filler` is what a `T` cannot be without.
pub(super) fn check_fields<T: DeserializeOwned + Serialize>(
    field: &str,
    fields: &serde_json::Map<String, Value>,
    filler: &Value,
    causes: &mut Vec<Cause>,
) {
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let field = format!("{field}.{name}");
        let mut alone = filler.clone();
        alone[name] = value.clone();
        match T::deserialize(alone).map(serde_json::to_value) {
            Ok(Ok(known)) => check_known(&field, value, known.get(name), causes),
            Ok(Err(_)) => {}
            Err(error) => causes.push(Cause::invalid(field, value, format!("{error}; correct it"))),
        }
    }
}

/// What is not there any more after reading and writing a value is a field that its type does not have.
fn check_known(field: &str, value: &Value, known: Option<&Value>, causes: &mut Vec<Cause>) {
    match (value, known) {
        (Value::Null, _) => {}
        (_, None) => causes.push(Cause::forbidden(field, "there is no such field; correct its name or remove it")),
        (Value::Object(fields), Some(known)) => {
            for (name, value) in fields {
                check_known(&format!("{field}.{name}"), value, known.get(name), causes);
            }
        }
        (Value::Array(items), Some(known)) => {
            for (index, value) in items.iter().enumerate() {
                check_known(&format!("{field}[{index}]"), value, known.get(index), causes);
            }
        }
        _ => {}
    }
}
