//! Any object is judged, and one that does not change is not wrong because of that.
use komputer_crds::{
    convert::Version,
    validate::{Cause, Kind, causes, causes_of_change},
};
use serde_json::Value;

use super::{Held, holds};
use crate::objects::{self, Result, Unstructured, kinds};

/// What is made of the bytes, of any kind, is judged.
///
/// # Errors
/// A promise is broken.
pub fn judged(bytes: &[u8]) -> Held {
    let Ok((kind, old, new)) = case(&mut Unstructured::new(bytes)) else { return Ok(()) };
    let (before, after) = (causes(kind, &old), causes(kind, &new));
    before.iter().chain(&after).try_for_each(says_what_to_do)?;
    let again = causes_of_change(kind, &new, &new);
    holds(again.is_empty(), || format!("what has not changed is refused: {again:?}\n{new}"))?;
    let changed = causes_of_change(kind, &old, &new);
    holds(changed.iter().all(|cause| after.contains(cause)), || {
        format!("a change has causes that the object has not: {changed:?}\n{old}\n{new}")
    })
}

fn case(bytes: &mut Unstructured<'_>) -> Result<(Kind, Value, Value)> {
    let of = |kind: &objects::Kind| Kind::ALL.into_iter().find(|known| known.name() == kind.name);
    let all: Vec<_> = kinds().iter().filter_map(|kind| Some((kind, of(kind)?))).collect();
    let (schema, kind) = *bytes.choose(&all)?;
    let mut object = || {
        if bytes.arbitrary()? { schema.any(Version::V1beta1, bytes) } else { schema.valid(Version::V1beta1, bytes) }
    };
    Ok((kind, object()?, object()?))
}

/// A cause names a field, and is a text that a person can read.
fn says_what_to_do(cause: &Cause) -> Held {
    let says = cause.field.starts_with("spec") && !cause.message.is_empty() && cause.to_string().len() < 4096;
    holds(says, || format!("a cause says too little, or too much: {cause:?}"))
}
