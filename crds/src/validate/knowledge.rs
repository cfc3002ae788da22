use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Cause, typed::check_type};

/// Checks a memory or a skill, whose texts are anybody's.
pub(super) fn check<Spec: DeserializeOwned>(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<Spec>("spec", spec, causes);
}
