//! Conversion of `KomputerAgent` between the version that is stored and the version before it.
//!
//! It works on JSON values, because the apiserver also converts parts of objects: what one field manager applied, with
//! required fields, status or metadata missing. It fills in no defaults and rejects nothing.
//!
//! | v1alpha1 | v1beta1 | |
//! |---|---|---|
//! | `instructions`, `systemPrompt`, `model`, `priority` | the same | |
//! | `templateRef` | `templateRef.name` | |
//! | `role` | `role` | `manager` `Manager`, `worker` `Worker` |
//! | `lifecycle` | `lifecycle.afterTask` | empty `KeepRunning`, `Sleep` `Sleep`, `AutoDelete` `Delete` |
//! | `secrets[]` | `secretRefs[].name` | a name that is there twice is taken once |
//! | `skills[]`, `memories[]`, `connectors[]` | `[].name`, `[].namespace` | `name` or `namespace/name`; of two with the same name the first is taken |
//! | `podSpec` | `podTemplate.spec` | |
//! | `labels` | `podTemplate.labels` | |
//! | `storage.size`, `storage.storageClassName` | the same | |
//! | `status.phase` | `status.phase` | see below |
//! | `status.taskStatus`, `.lastTaskMessage`, `.lastTaskCostUSD` | from `status.lastTask` | `InProgress` while it runs, `Error` where it failed, else `Complete` |
//! | `status.totalTokens` | sum of `status.tokens` | |
//! | other status of v1beta1 | the same | v1alpha1's status takes fields it does not name |
//!
//! | phase in v1beta1 | in v1alpha1 |
//! |---|---|
//! | `Pending`, `Starting`, `Deleting` | `Pending` |
//! | `Idle`, `Working` | `Running` |
//! | `Sleeping`, `Suspended` | `Sleeping` |
//! | `Finished` | `Succeeded` |
//! | `Failed` | `Failed` |
//!
//! The other way `Queued` is `Pending` too, and `Running` is `Working` while the task is in progress, else `Idle`.
//!
//! Where v1alpha1 says nothing of role, model or template the apiserver fills in that version's defaults on every write
//! through it, as it always has: an agent that v1beta1 made a worker by saying nothing becomes a manager.
//! `komputer-webhooks` warns of that.
//!
//! **Nothing is lost.** After translating, the result is translated back; where that differs from the original, the
//! difference is kept with the result and taken up by the conversion in the other direction. So a round trip
//! gives back what went in, fields that nobody knows included, and where there is no difference there is no trace.
//! A kept field is dropped where the field it belongs to has been given another value meanwhile.
//! A kept field is an annotation, like `v1beta1.komputer.komputer.ai/spec.suspend` of a v1alpha1 object, or
//! `v1alpha1.komputer.komputer.ai/spec.officeManager` of a v1beta1 object. What a v1alpha1 status cannot say is kept in
//! the status itself, in `v1beta1Fields`, so that a working agent's annotations stay as they are.
mod kept;
mod metadata;
mod spec;
mod status;
mod version;

use kept::{Changes, Kept};
use serde_json::{Map, Value};
pub use version::Version;

type Fields = Map<String, Value>;

/// Why an object cannot be converted.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
pub enum ConvertError {
    /// The value is an array, a string, or the like.
    #[error("the value is not an object; send a KomputerAgent")]
    NotAnObject,
    /// There is no such version, or the object has another kind.
    #[error("apiVersion: {0:?} cannot be converted; use komputer.komputer.ai/v1beta1 or komputer.komputer.ai/v1alpha1")]
    Version(String),
    /// Only KomputerAgent has more than one version.
    #[error("kind: {0:?} has one version only; convert a KomputerAgent")]
    Kind(String),
}

/// The object as `to` says it. Of its metadata only the annotations change.
///
/// # Errors
/// The value is no `KomputerAgent` of a known version. Whatever the object holds beside that is converted.
pub fn convert(object: Value, to: Version) -> Result<Value, ConvertError> {
    let Value::Object(mut object) = object else { return Err(ConvertError::NotAnObject) };
    let from = version_of(&object)?;
    if from == to {
        return Ok(Value::Object(object));
    }
    let mut kept = metadata::take_kept(&mut object, from);
    let mut lost = Kept::default();
    if let Some(Value::Object(fields)) = object.get_mut("spec") {
        lost.spec = spec::convert(fields, to, &kept.spec);
    }
    if let Some(Value::Object(fields)) = object.get_mut("status") {
        kept.status.append(&mut status::take_kept(fields, from));
        lost.status = status::convert(fields, to, &kept.status);
        status::put_kept(fields, to, &mut lost.status);
    }
    metadata::put_kept(&mut object, to, lost);
    object.insert("apiVersion".into(), to.api_version().into());
    Ok(Value::Object(object))
}

fn version_of(object: &Fields) -> Result<Version, ConvertError> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let version = Version::of(text("apiVersion")).ok_or_else(|| ConvertError::Version(text("apiVersion").into()))?;
    match text("kind") {
        "KomputerAgent" => Ok(version),
        other => Err(ConvertError::Kind(other.into())),
    }
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
