//! The one annotation that conversion may add to an object, or take from it.
use serde_json::Value;

use super::{Fields, Kept, Version};

/// The annotation of an object of `version`, with what the other version has and it cannot say.
fn key(version: Version) -> &'static str {
    match version {
        Version::V1alpha1 => "komputer.komputer.ai/v1beta1-fields",
        Version::V1beta1 => "komputer.komputer.ai/v1alpha1-fields",
    }
}

/// Takes the annotation off an object of `version`. One that cannot be read stays.
pub(super) fn take_kept(object: &mut Fields, version: Version) -> Kept {
    take(object, key(version)).unwrap_or_default()
}

fn take(object: &mut Fields, key: &str) -> Option<Kept> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let kept = serde_json::from_str(annotations.get(key)?.as_str()?).ok()?;
    annotations.remove(key);
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    Some(kept)
}

/// Puts the annotation on an object of `version`, which has metadata afterwards, as the apiserver wants it.
pub(super) fn put_kept(object: &mut Fields, version: Version, kept: &Kept) {
    let Some(metadata) = child(object, "metadata") else { return };
    if kept.is_empty() {
        return;
    }
    if let (Ok(text), Some(annotations)) = (serde_json::to_string(kept), child(metadata, "annotations")) {
        annotations.insert(key(version).into(), text.into());
    }
}

/// The object of that name, made where there is none.
fn child<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    let value = fields.entry(name).or_insert(Value::Null);
    if !value.is_object() {
        *value = Fields::new().into();
    }
    value.as_object_mut()
}
