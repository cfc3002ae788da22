//! How a field of one version is said in the other: tables of places and forms.
use serde_json::{Value, json};

use super::{Changes, Fields, Version, with_what_is_lost};

/// Where a field is in each version, and how it is said there.
pub(super) struct Field {
    pub(super) v1alpha1: &'static [&'static str],
    pub(super) v1beta1: &'static [&'static str],
    pub(super) form: Form,
}

/// How a field is said.
pub(super) enum Form {
    /// The same in both.
    Same,
    /// One value in v1alpha1, another in v1beta1. Of several with the same value the first counts.
    Words(&'static [(Word, Word)]),
    /// `name` in v1alpha1, `{name}` in v1beta1.
    Names,
    /// `name` or `namespace/name` in v1alpha1, `{name, namespace}` in v1beta1.
    References,
    /// An object of fields of their own.
    Object(&'static [Field]),
    /// A list of such objects.
    Objects(&'static [Field]),
    /// By a function of the kind.
    Own(fn(&Value, Version, Identity<'_>) -> Option<Value>),
}

/// Whose field it is, as far as the object says.
#[derive(Clone, Copy, Default)]
pub(super) struct Identity<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
}

/// A value that is a word.
#[derive(Clone, Copy)]
pub(super) enum Word {
    Text(&'static str),
    Bool(bool),
    Number(i64),
}

impl Word {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value == text,
            Self::Bool(bool) => *value == bool,
            Self::Number(number) => *value == number,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Bool(bool) => bool.into(),
            Self::Number(number) => number.into(),
        }
    }
}

/// A field that is the same in both versions, at the same place.
pub(super) const fn same(path: &'static [&'static str]) -> Field {
    Field { v1alpha1: path, v1beta1: path, form: Form::Same }
}

impl Field {
    fn path(&self, version: Version) -> &'static [&'static str] {
        match version {
            Version::V1alpha1 => self.v1alpha1,
            Version::V1beta1 => self.v1beta1,
        }
    }

    /// Whether it need not be looked at.
    fn is_shared(&self) -> bool {
        matches!(self.form, Form::Same) && self.v1alpha1.len() == 1 && self.v1alpha1 == self.v1beta1
    }
}

/// Converts `fields` in place and answers what the result cannot say.
pub(super) fn convert(table: &[Field], fields: &mut Fields, to: Version, kept: &Changes, of: Identity<'_>) -> Changes {
    let shared: Vec<_> = table.iter().filter(|field| field.is_shared()).map(|field| field.v1beta1[0]).collect();
    let kept = kept.of_translated(|name| !shared.contains(&name));
    let shared: Vec<_> = shared.into_iter().filter_map(|name| fields.remove_entry(name)).collect();
    let lost = with_what_is_lost(
        fields,
        &kept,
        |fields| translate(table, fields, to, of),
        |fields| translate(table, fields, to.other(), of),
    );
    fields.extend(shared);
    lost
}

/// What the table says of `fields`, and nothing else.
pub(super) fn translate(table: &[Field], fields: &Fields, to: Version, of: Identity<'_>) -> Fields {
    let mut result = Fields::new();
    for field in table {
        let value = get(fields, field.path(to.other())).and_then(|value| field.form.translate(value, to, of));
        if let Some(value) = value {
            set(&mut result, field.path(to), value);
        }
    }
    result
}

impl Form {
    /// The value as `to` says it; nothing where it cannot.
    fn translate(&self, value: &Value, to: Version, of: Identity<'_>) -> Option<Value> {
        let object = |table, value: &Value| Some(Value::from(translate(table, value.as_object()?, to, of)));
        match (self, to) {
            (Self::Same, _) => Some(value.clone()),
            (Self::Words(words), Version::V1alpha1) => {
                words.iter().find(|(_, v1beta1)| v1beta1.is(value)).map(|(v1alpha1, _)| v1alpha1.value())
            }
            (Self::Words(words), Version::V1beta1) => {
                words.iter().find(|(v1alpha1, _)| v1alpha1.is(value)).map(|(_, v1beta1)| v1beta1.value())
            }
            (Self::Names | Self::References, Version::V1alpha1) => {
                Some(value.as_array()?.iter().filter_map(text).collect())
            }
            (Self::Names, Version::V1beta1) => Some(by_name(value.as_array()?, |text| reference(None, text))),
            (Self::References, Version::V1beta1) => {
                Some(by_name(value.as_array()?, |text| match text.split_once('/') {
                    Some((namespace, text)) => reference(Some(namespace), text),
                    None => reference(None, text),
                }))
            }
            (Self::Object(table), _) => object(table, value),
            (Self::Objects(table), _) => {
                Some(value.as_array()?.iter().filter_map(|item| object(table, item)).collect())
            }
            (Self::Own(translate), _) => translate(value, to, of),
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

fn reference(namespace: Option<&str>, name: &str) -> Option<Value> {
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
