use std::{collections::BTreeSet, sync::LazyLock};

use komputer_crds::convert::Version;
use serde_json::Value;

/// A kind, as its definition has it.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its name, like `KomputerAgent`.
    pub name: String,
    /// The schemas of v1alpha1, where it has that, and of v1beta1.
    schemas: [Option<Value>; 2],
    /// Every name of a field, of both versions.
    pub(super) names: Vec<String>,
    /// Every word of an enum, of both versions.
    pub(super) words: Vec<String>,
}

/// Every kind.
pub fn kinds() -> &'static [Kind] {
    static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
        let definitions = komputer_crds::definitions().unwrap_or_default();
        definitions.iter().filter_map(|definition| Kind::of(&serde_json::to_value(definition).ok()?)).collect()
    });
    &KINDS
}

impl Kind {
    fn of(definition: &Value) -> Option<Self> {
        let versions = definition["spec"]["versions"].as_array()?;
        let schema = |version: Version| {
            let named = |found: &&Value| found["name"].as_str() == version.api_version().split('/').next_back();
            versions.iter().find(named).map(|version| version["schema"]["openAPIV3Schema"].clone())
        };
        let schemas = [schema(Version::V1alpha1), schema(Version::V1beta1)];
        let (mut names, mut words) = (BTreeSet::new(), BTreeSet::new());
        schemas.iter().flatten().for_each(|schema| collect(schema, &mut names, &mut words));
        let name = definition["spec"]["names"]["kind"].as_str()?.to_owned();
        Some(Self { name, schemas, names: names.into_iter().collect(), words: words.into_iter().collect() })
    }

    /// Whether it has both versions.
    pub fn is_converted(&self) -> bool {
        self.schemas.iter().all(Option::is_some)
    }

    /// What a part of the object, `spec` or `status`, is in that version; null where there is none.
    pub(super) fn schema(&self, version: Version, part: &str) -> &Value {
        let schema = &self.schemas[usize::from(version == Version::V1beta1)];
        schema.as_ref().map_or(&Value::Null, |schema| &schema["properties"][part])
    }

    /// Where the object is not as the schema of that version has it: what is missing does not count, nor does a status of
    /// v1beta1, which nobody writes in v1alpha1.
    pub fn violation(&self, version: Version, object: &Value) -> Option<String> {
        let parts = if version == Version::V1beta1 { &["spec"][..] } else { &["spec", "status"] };
        parts.iter().find_map(|part| violation(part, self.schema(version, part), object.get(*part)?))
    }
}

fn collect(schema: &Value, names: &mut BTreeSet<String>, words: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        names.insert(name.clone());
        collect(field, names, words);
    }
    words.extend(schema["enum"].as_array().into_iter().flatten().filter_map(|word| Some(word.as_str()?.to_owned())));
    for below in ["items", "additionalProperties"].into_iter().filter_map(|below| schema.get(below)) {
        collect(below, names, words);
    }
}

fn violation(path: &str, schema: &Value, value: &Value) -> Option<String> {
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Some(format!("{path} is {value}"));
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(fields)) => fields.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match schema["properties"].get(name).or(schema.get("additionalProperties")) {
                Some(schema) => violation(&path, schema, value),
                None if schema["x-kubernetes-preserve-unknown-fields"] == true => None,
                None => Some(format!("there is no {path}")),
            }
        }),
        (Some("array"), Value::Array(items)) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| violation(&format!("{path}[{index}]"), &schema["items"], item))
        }
        (Some("string"), Value::String(_))
        | (Some("integer"), Value::Number(_))
        | (Some("boolean"), Value::Bool(_)) => None,
        _ => Some(format!("{path} is {value}")),
    }
}
