//! Conversion of the kinds of the system before komputer between its version and the one that is stored.
//!
//! It works on JSON values, because the apiserver also converts parts of objects: what one field manager applied, with
//! required fields, status or metadata missing. It fills in no defaults and rejects nothing.
//!
//! Each kind has a module with a table of which field of one version is which of the other's, and how each says it.
//! Only v1beta1's status is written; v1alpha1's shows what its
//! clients read, and takes every field along that it does not name.
//!
//! What a version cannot say is kept: each field apart that comes out different after conversion there and back, with
//! what it comes out as, until the next conversion in the other direction. So a round trip gives back what went in,
//! fields that nobody knows included, and where there is no difference there is no trace.
//! A kept field is dropped where the field it belongs to has been given another value meanwhile.
//! A kept field is an annotation, like `v1beta1.komputer.komputer.ai/spec.suspend` of a v1alpha1 object, or
//! `v1alpha1.komputer.komputer.ai/spec.internalSystemPrompt` of a v1beta1 object. What a v1alpha1 status cannot say is
//! kept in the status itself, in `v1beta1Fields`, so that a working agent's annotations stay as they are.
mod agent;
mod config;
mod connector;
mod field;
mod kept;
mod kind;
mod metadata;
mod office;
mod schedule;
mod squad;
mod status;
mod template;
mod version;

use field::Identity;
use kept::{Changes, Kept};
use kind::Kind;
pub(crate) use metadata::kept_annotation;
use serde_json::{Map, Value};
pub use version::Version;

type Fields = Map<String, Value>;

/// Why an object cannot be converted.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
pub enum ConvertError {
    /// The value is an array, a string, or the like.
    #[error("the value is not an object; send one of {}", crate::GROUP)]
    NotAnObject,
    /// There is no such version.
    #[error("apiVersion: {0:?} cannot be converted; use komputer.komputer.ai/v1beta1 or komputer.komputer.ai/v1alpha1")]
    Version(String),
    /// The kind is new in v1beta1, or there is none of that name.
    #[error("kind: {0:?} has not both versions; convert one of a kind that v1alpha1 has")]
    Kind(String),
}

/// The object as `to` says it. Of its metadata only the annotations change.
///
/// # Errors
/// The value is no object of a known version of a kind that has both. Whatever the object holds beside that is converted.
pub fn convert(object: Value, to: Version) -> Result<Value, ConvertError> {
    let Value::Object(mut object) = object else { return Err(ConvertError::NotAnObject) };
    let (from, kind) = version_and_kind(&object)?;
    if from == to {
        return Ok(Value::Object(object));
    }
    let mut kept = metadata::take_kept(&mut object, from);
    let mut lost = Kept::default();
    let text = |name: &str| object.get("metadata").and_then(|metadata| Some(metadata.get(name)?.as_str()?.to_owned()));
    let (name, namespace) = (text("name"), text("namespace"));
    let of = Identity { name: name.as_deref(), namespace: namespace.as_deref() };
    if let (Some(table), Some(Value::Object(fields))) = (kind.spec, object.get_mut("spec")) {
        lost.spec = field::convert(table, fields, to, &kept.spec, of);
    }
    if let (Some(rules), Some(Value::Object(fields))) = (&kind.status, object.get_mut("status")) {
        kept.status.append(&mut status::take_kept(fields, from));
        lost.status = status::convert(rules, fields, to, &kept.status);
        status::put_kept(fields, to, &mut lost.status);
    }
    metadata::put_kept(&mut object, to, lost);
    object.insert("apiVersion".into(), to.api_version().into());
    Ok(Value::Object(object))
}

fn version_and_kind(object: &Fields) -> Result<(Version, &'static Kind), ConvertError> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let version = Version::of(text("apiVersion")).ok_or_else(|| ConvertError::Version(text("apiVersion").into()))?;
    let kind = Kind::of(text("kind")).ok_or_else(|| ConvertError::Kind(text("kind").into()))?;
    Ok((version, kind))
}

/// Translates `fields` in place, takes up what was kept, and answers what the result cannot say.
fn with_what_is_lost(
    fields: &mut Fields,
    kept: &Changes,
    there: impl Fn(&Fields) -> Fields,
    back: impl Fn(&Fields) -> Fields,
) -> Changes {
    let mut result = there(fields);
    kept.apply(&mut result);
    let lost = Changes::between(&back(&result), fields);
    *fields = result;
    lost
}
