//! Objects made of bytes, for property tests and for fuzzing: equal bytes make equal objects, no bytes the least one.
mod any;
mod kept;
mod kind;
mod valid;

pub use any::any_value;
pub use arbitrary::{Result, Unstructured};
pub use kind::{Kind, kinds};
use serde_json::{Map, Value};

/// The fields of a JSON object.
type Fields = Map<String, Value>;
