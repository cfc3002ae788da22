//! Which field of one version's spec is which of the other's, and how each says it.
use serde_json::{Value, json};

use super::{Changes, Fields, Version, with_what_is_lost};

/// Fields that are the same in both versions.
const SHARED: [&str; 4] = ["instructions", "systemPrompt", "model", "priority"];

/// Where a field is in each version, and how it is said there.
struct Field {
    v1alpha1: &'static [&'static str],
    v1beta1: &'static [&'static str],
    form: Form,
}

enum Form {
    /// The same in both.
    Same,
    /// One word in v1alpha1, another in v1beta1.
    Words(&'static [(&'static str, &'static str)]),
    /// `name` in v1alpha1, `{name}` in v1beta1.
    Names,
    /// `name` or `namespace/name` in v1alpha1, `{name, namespace}` in v1beta1.
    References,
}

const FIELDS: [Field; 11] = [
    Field { v1alpha1: &["templateRef"], v1beta1: &["templateRef", "name"], form: Form::Same },
    Field {
        v1alpha1: &["role"],
        v1beta1: &["role"],
        form: Form::Words(&[("manager", "Manager"), ("worker", "Worker")]),
    },
    Field {
        v1alpha1: &["lifecycle"],
        v1beta1: &["lifecycle", "afterTask"],
        form: Form::Words(&[("", "KeepRunning"), ("Sleep", "Sleep"), ("AutoDelete", "Delete")]),
    },
    Field { v1alpha1: &["secrets"], v1beta1: &["secretRefs"], form: Form::Names },
    Field { v1alpha1: &["skills"], v1beta1: &["skills"], form: Form::References },
    Field { v1alpha1: &["memories"], v1beta1: &["memories"], form: Form::References },
    Field { v1alpha1: &["connectors"], v1beta1: &["connectors"], form: Form::References },
    Field { v1alpha1: &["podSpec"], v1beta1: &["podTemplate", "spec"], form: Form::Same },
    Field { v1alpha1: &["labels"], v1beta1: &["podTemplate", "labels"], form: Form::Same },
    Field { v1alpha1: &["storage", "size"], v1beta1: &["storage", "size"], form: Form::Same },
    Field { v1alpha1: &["storage", "storageClassName"], v1beta1: &["storage", "storageClassName"], form: Form::Same },
];

impl Field {
    fn path(&self, version: Version) -> &'static [&'static str] {
        match version {
            Version::V1alpha1 => self.v1alpha1,
            Version::V1beta1 => self.v1beta1,
        }
    }
}

/// Converts a spec in place and answers what the result cannot say.
pub(super) fn convert(spec: &mut Fields, to: Version, kept: &Changes) -> Changes {
    let shared: Vec<_> = SHARED.iter().filter_map(|name| spec.remove_entry(*name)).collect();
    let lost = with_what_is_lost(spec, kept, |fields| translate(fields, to), |fields| translate(fields, to.other()));
    spec.extend(shared);
    lost
}

fn translate(fields: &Fields, to: Version) -> Fields {
    let mut result = Fields::new();
    for field in &FIELDS {
        if let Some(value) = get(fields, field.path(to.other())).and_then(|value| field.form.translate(value, to)) {
            set(&mut result, field.path(to), value);
        }
    }
    result
}

impl Form {
    /// The value as `to` says it; nothing where it cannot.
    fn translate(&self, value: &Value, to: Version) -> Option<Value> {
        match (self, to) {
            (Self::Same, _) => Some(value.clone()),
            (Self::Words(words), Version::V1alpha1) => {
                words.iter().find(|(_, v1beta1)| value == v1beta1).map(|(v1alpha1, _)| (*v1alpha1).into())
            }
            (Self::Words(words), Version::V1beta1) => {
                words.iter().find(|(v1alpha1, _)| value == v1alpha1).map(|(_, v1beta1)| (*v1beta1).into())
            }
            (Self::Names | Self::References, Version::V1alpha1) => {
                Some(value.as_array()?.iter().filter_map(text).collect())
            }
            (Self::Names, Version::V1beta1) => Some(by_name(value.as_array()?, |text| name(None, text))),
            (Self::References, Version::V1beta1) => {
                Some(by_name(value.as_array()?, |text| match text.split_once('/') {
                    Some((namespace, text)) => name(Some(namespace), text),
                    None => name(None, text),
                }))
            }
        }
    }
}

/// `{name, namespace}` as text.
fn text(reference: &Value) -> Option<String> {
    let name = reference.get("name")?.as_str()?;
    Some(match reference.get("namespace").and_then(Value::as_str) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.into(),
    })
}

fn name(namespace: Option<&str>, name: &str) -> Option<Value> {
    match namespace {
        _ if name.is_empty() || name.contains('/') => None,
        Some("") => None,
        Some(namespace) => Some(json!({ "name": name, "namespace": namespace })),
        None => Some(json!({ "name": name })),
    }
}

/// The items as references; v1beta1's lists of them have one for a name.
fn by_name(items: &[Value], reference: impl Fn(&str) -> Option<Value>) -> Value {
    let mut seen = std::collections::BTreeSet::new();
    let references = items.iter().filter_map(|item| reference(item.as_str()?));
    references.filter(|reference| seen.insert(reference["name"].to_string())).collect()
}

fn get<'a>(fields: &'a Fields, path: &[&str]) -> Option<&'a Value> {
    let (name, parents) = path.split_last()?;
    parents.iter().try_fold(fields, |fields, name| fields.get(*name)?.as_object())?.get(*name)
}

fn set(fields: &mut Fields, path: &[&str], value: Value) {
    match path {
        [] => {}
        [name] => {
            fields.insert((*name).into(), value);
        }
        [name, rest @ ..] => {
            if let Value::Object(child) = fields.entry(*name).or_insert_with(|| Fields::new().into()) {
                set(child, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;

    use super::*;

    fn schema(crd: &impl serde::Serialize) -> Value {
        let crd = serde_json::to_value(crd).unwrap();
        crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap().clone()
    }

    fn has(schema: &Value, path: &[&str]) -> bool {
        path.iter().try_fold(schema, |schema, name| schema.get("properties")?.get(name)).is_some()
    }

    #[test]
    fn the_table_names_fields_that_exist() {
        let (v1alpha1, v1beta1) =
            (schema(&crate::v1alpha1::KomputerAgent::crd()), schema(&crate::v1beta1::KomputerAgent::crd()));
        for name in SHARED {
            assert!(has(&v1alpha1, &[name]) && has(&v1beta1, &[name]), "{name}");
        }
        for field in &FIELDS {
            assert!(has(&v1alpha1, field.v1alpha1), "v1alpha1 {:?}", field.v1alpha1);
            assert!(has(&v1beta1, field.v1beta1), "v1beta1 {:?}", field.v1beta1);
        }
    }
}
