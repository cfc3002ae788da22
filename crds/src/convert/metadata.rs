//! The annotations that conversion may add to an object, or take from it: one for each field that is kept.
//!
//! One for all would be simpler, and wrong: server-side apply takes a field away from a manager by comparing the object
//! with and without it in the version of every other manager, name by name, so what goes must be a name of its own.
use serde_json::Value;

use super::{Fields, Kept, Version, kept::Change};

/// The annotation for fields whose path is no annotation's name.
const OTHER: &str = "other";

/// What the annotations of an object of `version` begin with that keep what the other version has and it cannot say.
fn prefix(version: Version) -> &'static str {
    match version {
        Version::V1alpha1 => "v1beta1.komputer.komputer.ai/",
        Version::V1beta1 => "v1alpha1.komputer.komputer.ai/",
    }
}

/// The annotation of a v1beta1 object that keeps a field of v1alpha1, like `spec.internalSystemPrompt`.
pub(crate) fn kept_annotation(field: &str) -> String {
    format!("{}{field}", prefix(Version::V1beta1))
}

/// Takes these annotations off an object of `version`. One that cannot be read stays.
pub(super) fn take_kept(object: &mut Fields, version: Version) -> Kept {
    take(object, prefix(version)).unwrap_or_default()
}

fn take(object: &mut Fields, prefix: &str) -> Option<Kept> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let (mut kept, before) = (Kept::default(), annotations.len());
    annotations.retain(|key, value| {
        let read = key.strip_prefix(prefix).zip(value.as_str()).and_then(|(name, text)| kept.read(name, text));
        read.is_none()
    });
    if annotations.is_empty() && before > 0 {
        metadata.remove("annotations");
    }
    Some(kept)
}

/// Puts these annotations on an object of `version`, which has metadata afterwards, as the apiserver wants it.
pub(super) fn put_kept(object: &mut Fields, version: Version, kept: Kept) {
    let Some(metadata) = child(object, "metadata") else { return };
    let written = kept.written();
    if !written.is_empty()
        && let Some(annotations) = child(metadata, "annotations")
    {
        let prefix = prefix(version);
        annotations.extend(written.into_iter().map(|(name, text)| (format!("{prefix}{name}"), text.into())));
    }
}

impl Kept {
    /// Takes up one annotation, unless it cannot be read.
    fn read(&mut self, name: &str, text: &str) -> Option<()> {
        if name == OTHER {
            let Self { spec, status } = &mut serde_json::from_str(text).ok()?;
            self.spec.append(spec);
            self.status.append(status);
            return Some(());
        }
        let (section, path) = name.split_once('.')?;
        let changes = match section {
            "spec" => &mut self.spec,
            "status" => &mut self.status,
            _ => return None,
        };
        changes.0.insert(format!("/{}", path.replace('.', "/")), serde_json::from_str(text).ok()?);
        Some(())
    }

    /// All annotations, by what comes after their prefix.
    fn written(mut self) -> Vec<(String, String)> {
        let mut written = Vec::new();
        for (section, changes) in [("spec", &mut self.spec), ("status", &mut self.status)] {
            changes.0.retain(|pointer, change| match annotation(section, pointer, change) {
                Some(annotation) => {
                    written.push(annotation);
                    false
                }
                None => true,
            });
        }
        if !(self.spec.is_empty() && self.status.is_empty()) {
            written.extend(serde_json::to_string(&self).ok().map(|text| (OTHER.to_owned(), text)));
        }
        written
    }
}

/// A change as an annotation, like `spec.lifecycle.idleTimeout`, where its path can be a name.
fn annotation(section: &str, pointer: &str, change: &Change) -> Option<(String, String)> {
    let path = pointer.strip_prefix('/')?;
    let can_be_a_name = path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_'))
        && path.ends_with(|c: char| c.is_ascii_alphanumeric());
    let name = format!("{section}.{}", path.replace('/', "."));
    (can_be_a_name && name.len() <= 63).then_some((name, serde_json::to_string(change).ok()?))
}

/// The object of that name, made where there is none.
fn child<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    let value = fields.entry(name).or_insert(Value::Null);
    if !value.is_object() {
        *value = Fields::new().into();
    }
    value.as_object_mut()
}
