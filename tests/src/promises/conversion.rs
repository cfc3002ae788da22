//! Nothing is lost, nothing is left behind, whatever part of an object arrives.
use komputer_crds::convert::{Version, convert};
use serde_json::Value;

use super::{Broken, Held, holds};
use crate::objects::{Kind, Result, Unstructured, kinds};

/// What is made of the bytes, of any kind and either version, comes back.
///
/// # Errors
/// A promise is broken.
pub fn there_and_back(bytes: &[u8]) -> Held {
    match case(&mut Unstructured::new(bytes)) {
        Ok(Case::Valid(kind, version, object)) => {
            is_valid_there(kind, version, &object)?;
            comes_back(version, &object)
        }
        Ok(Case::Any(version, object)) => {
            changes_annotations_alone(version, &object)?;
            comes_back(version, &object)
        }
        Ok(Case::WithKept(version, object)) => comes_there_again(version, &object),
        Err(_) => Ok(()),
    }
}

enum Case {
    Valid(&'static Kind, Version, Value),
    Any(Version, Value),
    WithKept(Version, Value),
}

fn case(bytes: &mut Unstructured<'_>) -> Result<Case> {
    let converted: Vec<&Kind> = kinds().iter().filter(|kind| kind.is_converted()).collect();
    let kind = *bytes.choose(&converted)?;
    let version = *bytes.choose(&[Version::V1alpha1, Version::V1beta1])?;
    Ok(match bytes.int_in_range(0..=2)? {
        0 => Case::Valid(kind, version, kind.valid(version, bytes)?),
        1 => Case::Any(version, kind.any(version, bytes)?),
        _ => Case::WithKept(version, kind.with_kept(version, bytes)?),
    })
}

/// The object of `version` as the other version has it.
///
/// # Errors
/// It cannot be converted.
pub fn there(version: Version, object: &Value) -> std::result::Result<Value, Broken> {
    converted(other(version), object)
}

/// There and back it is the same, to the last digit.
///
/// # Errors
/// It is not.
pub fn comes_back(version: Version, object: &Value) -> Held {
    let there = there(version, object)?;
    let back = converted(version, &there)?;
    same("comes back as another", object, &back, &there)
}

/// There, back and there again it is what it was there, also where somebody has changed what was kept.
///
/// # Errors
/// It is not.
pub fn comes_there_again(version: Version, object: &Value) -> Held {
    let there = there(version, object)?;
    let back = converted(version, &there)?;
    let again = converted(other(version), &back)?;
    same("is another the second time", &there, &again, &back)
}

/// What the schema of one version takes becomes what that of the other takes.
///
/// # Errors
/// It does not.
pub fn is_valid_there(kind: &Kind, version: Version, object: &Value) -> Held {
    let there = there(version, object)?;
    match kind.violation(other(version), &there) {
        None => Ok(()),
        Some(violation) => Err(Broken(format!("{violation}, which is not allowed there:\n{object}\n{there}"))),
    }
}

/// Of the metadata nothing changes but annotations, and of those none that is the object's own.
///
/// # Errors
/// Something else does.
pub fn changes_annotations_alone(version: Version, object: &Value) -> Held {
    let there = there(version, object)?;
    let (mut before, mut after) = (object["metadata"].clone(), there["metadata"].clone());
    let (own, annotations) = (before["annotations"].take(), after["annotations"].take());
    holds(before == after, || format!("the metadata is another:\n{object}\n{there}"))?;
    let mut own = own.as_object().into_iter().flatten();
    let stays = own.all(|(name, value)| annotations.get(name) == Some(value));
    holds(stays, || format!("an annotation is gone:\n{object}\n{there}"))
}

fn other(version: Version) -> Version {
    match version {
        Version::V1alpha1 => Version::V1beta1,
        Version::V1beta1 => Version::V1alpha1,
    }
}

/// Converted as the apiserver has it done: what is sent and answered is text.
fn converted(to: Version, object: &Value) -> std::result::Result<Value, Broken> {
    let broken = |error: &dyn std::fmt::Display| Broken(format!("{error}: {object}"));
    let sent: Value = serde_json::from_str(&object.to_string()).map_err(|error| broken(&error))?;
    let answer = convert(sent, to).map_err(|error| broken(&error))?;
    serde_json::from_str(&answer.to_string()).map_err(|error| broken(&error))
}

fn same(how: &str, before: &Value, after: &Value, between: &Value) -> Held {
    // As text, because -0.0 and 0.0 are equal numbers.
    let [before, after] = [before, after].map(Value::to_string);
    holds(before == after, || format!("an object {how}:\n  it was  {before}\n  it is   {after}\n  between {between}"))
}
