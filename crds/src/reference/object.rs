//! The objects that a version is made of, each with its fields, outermost first.
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::{
    bounds::{bounds, has_fields, items, type_name, values},
    markdown::codes,
    rule::{Mutability, Rules, messages_of_whole},
};

/// An object, described by a section of its own.
pub(super) struct Object {
    /// Like `spec.secretRefs[]`.
    pub path: String,
    pub description: String,
    pub default: Option<Value>,
    /// What is said of it as a whole: rules, which of its fields exclude each other, whether it takes others.
    pub rules: Vec<String>,
    /// Required first, then by name.
    pub fields: Vec<Field>,
}

/// A field of an object.
pub(super) struct Field {
    pub name: String,
    /// Like `spec.secretRefs[].name`.
    pub path: String,
    /// The path of the section that describes what is in it.
    pub section: Option<String>,
    pub type_name: String,
    pub required: bool,
    pub mutability: Mutability,
    pub bounds: Vec<String>,
    pub default: Option<Value>,
    /// How a list is merged.
    pub merge: Option<String>,
    pub description: String,
    /// Every allowed value, with what it means.
    pub words: Vec<(String, String)>,
    pub rules: Vec<String>,
}

/// All objects at `path` and below.
pub(super) fn objects(path: &str, schema: &JSONSchemaProps) -> Vec<Object> {
    let mut found = Vec::new();
    // The rules of a field are told where it is listed, and nothing lists this one.
    collect(path, schema, true, Mutability::Free, &mut found);
    found
}

fn collect(path: &str, schema: &JSONSchemaProps, unlisted: bool, mutability: Mutability, found: &mut Vec<Object>) {
    if has_fields(schema) {
        found.push(object(path, schema, unlisted, mutability));
    }
    for (name, field) in schema.properties.iter().flatten() {
        let mutability = mutability.max(Rules::of(name, field, schema).mutability().within());
        collect(&format!("{path}.{name}"), field, false, mutability, found);
    }
    for (suffix, part) in [("[]", items(schema)), ("{}", values(schema))] {
        if let Some(part) = part {
            collect(&format!("{path}{suffix}"), part, true, mutability, found);
        }
    }
}

fn object(path: &str, schema: &JSONSchemaProps, unlisted: bool, mutability: Mutability) -> Object {
    let fields = schema.properties.iter().flatten();
    let mut fields: Vec<Field> = fields.map(|(name, part)| field(path, name, part, schema, mutability)).collect();
    fields.sort_by_key(|field| !field.required);
    let (description, _) = explained(schema.description.as_deref().unwrap_or_default());
    let own = messages_of_whole(schema).filter(|_| unlisted).map(ToOwned::to_owned);
    Object {
        path: path.into(),
        description,
        default: schema.default.as_ref().filter(|_| unlisted).map(|default| default.0.clone()),
        rules: own.chain(alternatives(schema)).chain(unknown_fields(schema)).collect(),
        fields,
    }
}

fn field(path: &str, name: &str, schema: &JSONSchemaProps, parent: &JSONSchemaProps, inherited: Mutability) -> Field {
    let path = format!("{path}.{name}");
    let rules = Rules::of(name, schema, parent);
    let (description, words) = explained(schema.description.as_deref().unwrap_or_default());
    Field {
        name: name.into(),
        section: section(&path, schema),
        path,
        type_name: type_name(schema),
        required: parent.required.iter().flatten().any(|required| required == name),
        mutability: rules.mutability().max(inherited),
        bounds: bounds(schema),
        default: schema.default.as_ref().map(|default| default.0.clone()),
        merge: merge(schema),
        description,
        words: with_unexplained(words, schema).into_iter().chain(words_of_parts(schema)).collect(),
        rules: rules.messages().map(ToOwned::to_owned).collect(),
    }
}

/// Where what is in a field is described.
fn section(path: &str, schema: &JSONSchemaProps) -> Option<String> {
    if has_fields(schema) {
        return Some(path.into());
    }
    let of_items = items(schema).and_then(|items| section(&format!("{path}[]"), items));
    of_items.or_else(|| values(schema).and_then(|values| section(&format!("{path}{{}}"), values)))
}

fn merge(schema: &JSONSchemaProps) -> Option<String> {
    Some(match schema.x_kubernetes_list_type.as_deref()? {
        "map" => format!("merged by {}", codes(schema.x_kubernetes_list_map_keys.iter().flatten())),
        "set" => "merged as a set".into(),
        _ => "replaced as a whole".into(),
    })
}

/// A description, and the words it explains: [`crate::schema`] puts them there.
fn explained(description: &str) -> (String, Vec<(String, String)>) {
    let (text, words) = description.split_once("\n\nPossible enum values:\n").unwrap_or((description, ""));
    let words = words.lines().filter_map(|line| line.trim().strip_prefix("- `\"")?.split_once("\"`: "));
    (text.into(), words.map(|(word, meaning)| (word.into(), meaning.into())).collect())
}

/// The words that the items of a list or the values of a map may be.
fn words_of_parts(schema: &JSONSchemaProps) -> Vec<(String, String)> {
    let Some(part) = items(schema).or_else(|| values(schema)) else { return Vec::new() };
    let (_, words) = explained(part.description.as_deref().unwrap_or_default());
    with_unexplained(words, part)
}

fn with_unexplained(mut words: Vec<(String, String)>, schema: &JSONSchemaProps) -> Vec<(String, String)> {
    for word in schema.enum_.iter().flatten() {
        let word = word.0.as_str().map_or_else(|| word.0.to_string(), ToOwned::to_owned);
        if !words.iter().any(|(known, _)| *known == word) {
            words.push((word, String::new()));
        }
    }
    words
}

fn unknown_fields(schema: &JSONSchemaProps) -> Option<String> {
    (schema.x_kubernetes_preserve_unknown_fields == Some(true)).then(|| "other fields are kept as they are".into())
}

/// Which fields exclude each other, or of which one at least is needed.
fn alternatives(schema: &JSONSchemaProps) -> impl Iterator<Item = String> {
    let names = |branches: &Vec<JSONSchemaProps>| {
        let names: Option<Vec<String>> = branches.iter().map(|branch| Some(codes(branch.required.as_ref()?))).collect();
        names.map(|names| names.join(" or "))
    };
    let one = schema.one_of.as_ref().and_then(names).map(|names| format!("exactly one is set: {names}"));
    let some = schema.any_of.as_ref().and_then(names).map(|names| format!("at least one is set: {names}"));
    one.into_iter().chain(some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Mutability, objects};

    #[test]
    fn what_is_in_an_object_is_found_with_what_holds_for_it() {
        let word = json!({ "type": "string", "description": "A word.\n\nPossible enum values:\n - `\"A\"`: Ah.", "enum": ["A", "B"] });
        let rule = |rule: &str, path: &str| json!([{ "rule": rule, "message": rule, "fieldPath": path }]);
        let item = json!({ "type": "object", "description": "One.", "properties": { "a": word }, "oneOf": [{ "required": ["a"] }, { "required": ["b"] }] });
        let frozen = json!({ "type": "object", "properties": { "items": { "type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"] } }, "x-kubernetes-validations": rule("self == oldSelf", "") });
        let schema = json!({ "type": "object", "description": "All.", "properties": { "z": word, "frozen": frozen, "many": { "type": "array", "items": word } }, "required": ["z"], "x-kubernetes-validations": rule("self.z != ''", ".z") });
        let found = objects("spec", &serde_json::from_value(schema).unwrap());

        let paths: Vec<_> = found.iter().map(|object| object.path.as_str()).collect();
        assert_eq!(paths, ["spec", "spec.frozen", "spec.frozen.items[]"]);
        let names: Vec<_> = found[0].fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["z", "frozen", "many"], "what is required comes first");
        let z = &found[0].fields[0];
        assert_eq!(
            (z.description.as_str(), z.mutability, z.rules.as_slice()),
            ("A word.", Mutability::Free, &["self.z != ''".to_owned()][..])
        );
        assert_eq!(z.words, [("A".to_owned(), "Ah.".to_owned()), ("B".to_owned(), String::new())]);
        assert!(found[0].fields[0].words.iter().eq(&found[0].fields[2].words), "words of items are told with the list");
        let items = &found[1].fields[0];
        assert_eq!(
            (items.section.as_deref(), items.merge.as_deref()),
            (Some("spec.frozen.items[]"), Some("merged by `a`"))
        );
        assert_eq!(found[2].fields[0].mutability, Mutability::Immutable, "it is part of what is immutable");
        assert_eq!(found[2].rules, ["exactly one is set: `a` or `b`"]);
        assert!(found[1].rules.is_empty(), "its rule is told where it is listed");
    }
}
