use serde_json::Value;

use super::Cause;
use crate::recurrence::duration;

/// Checks that a value, where there is one, is a length of time.
pub(super) fn check_duration(field: &str, value: Option<&Value>, causes: &mut Vec<Cause>) {
    if let Some(value) = value.filter(|value| value.as_str().is_some_and(|text| duration(text).is_none())) {
        causes.push(Cause::invalid(field, value, "it is not a length of time like 90s, 10m or 1h30m; correct it"));
    }
}
