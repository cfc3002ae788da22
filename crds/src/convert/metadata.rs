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
    for (name, value) in std::mem::take(&mut kept.annotations) {
        annotations.entry(name).or_insert(value);
    }
    if annotations.is_empty() && before > 0 {
        metadata.remove("annotations");
    }
    Some(kept)
}

/// Puts these annotations on an object of `version`, which has metadata afterwards, as the apiserver wants it.
pub(super) fn put_kept(object: &mut Fields, version: Version, mut kept: Kept) {
    let (Some(metadata), prefix) = (child(object, "metadata"), prefix(version)) else { return };
    let mut written = kept.written();
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        kept.put_aside(annotations, prefix, &written);
    }
    written.extend(kept.other());
    if !written.is_empty()
        && let Some(annotations) = child(metadata, "annotations")
    {
        annotations.extend(written.into_iter().map(|(name, text)| (format!("{prefix}{name}"), text.into())));
    }
}

impl Kept {
    /// Takes up one annotation, unless it cannot be read.
    fn read(&mut self, name: &str, text: &str) -> Option<()> {
        if name == OTHER {
            let Self { spec, status, annotations } = &mut serde_json::from_str(text).ok()?;
            self.spec.append(spec);
            self.status.append(status);
            self.annotations.append(annotations);
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

    /// Those that are annotations of their own, by what comes after their prefix; the others are left.
    fn written(&mut self) -> Vec<(String, String)> {
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
        written
    }

    /// All that is left as one annotation.
    fn other(self) -> Option<(String, String)> {
        let text = serde_json::to_string(&self).ok().filter(|_| !self.is_empty())?;
        Some((OTHER.into(), text))
    }

    /// Takes up annotations that are the object's own and are called like those that are `written`, or read like them.
    fn put_aside(&mut self, annotations: &mut Fields, prefix: &str, written: &[(String, String)]) {
        let is_read =
            |name: &str, value: &Value| value.as_str().is_some_and(|text| Self::default().read(name, text).is_some());
        let mut take = |is_in_the_way: &dyn Fn(&str, &Value, &Self) -> bool| {
            annotations.retain(|key, value| {
                let name = key.strip_prefix(prefix).filter(|name| is_in_the_way(name, value, self));
                if name.is_some() {
                    self.annotations.insert(key.clone(), value.take());
                }
                name.is_none()
            });
        };
        take(&|name, value, _| {
            name != OTHER && (is_read(name, value) || written.iter().any(|(other, _)| other == name))
        });
        take(&|name, value, kept| name == OTHER && (is_read(name, value) || !kept.is_empty()));
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
