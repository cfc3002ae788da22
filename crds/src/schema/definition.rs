use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    CustomResourceExt,
    core::schema::{OptionalEnum, OptionalIntOrString, StructuralSchemaRewriter},
};
use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{AddNullable, Transform, transform_subschemas},
};
use serde_json::Value;

/// A kind whose definition says of every word of an enum what it means.
pub(crate) trait Definition {
    /// The definition that kube derives, with what kube drops: see [`ExplainWords`].
    fn crd() -> CustomResourceDefinition;
}

impl<K: CustomResourceExt + JsonSchema> Definition for K {
    fn crd() -> CustomResourceDefinition {
        let mut definition = <K as CustomResourceExt>::crd();
        // As kube derives it, but for the first transform.
        let generator = SchemaSettings::openapi3()
            .with(|settings| {
                settings.inline_subschemas = true;
                settings.meta_schema = None;
            })
            .with_transform(ExplainWords)
            .with_transform(AddNullable::default())
            .with_transform(StructuralSchemaRewriter)
            .with_transform(OptionalEnum)
            .with_transform(OptionalIntOrString)
            .into_generator();
        let schema = serde_json::from_value(generator.into_root_schema_for::<K>().to_value()).ok();
        for version in &mut definition.spec.versions {
            version.schema.get_or_insert_default().open_api_v3_schema.clone_from(&schema);
        }
        definition
    }
}

/// Puts what the docstrings of an enum's variants say into the description of the field, in the words that Kubernetes
/// uses for its own kinds, and keeps a field's own description where its type is an optional enum. A CustomResource's
/// schema has no other place for either, so kube drops both.
#[derive(Clone)]
struct ExplainWords;

impl Transform for ExplainWords {
    fn transform(&mut self, schema: &mut Schema) {
        describe_as_the_field(schema);
        explain(schema);
        transform_subschemas(self, schema);
    }
}

/// `Option<Enum>` is an `anyOf` of the enum and null, and ends up with the description inside.
fn describe_as_the_field(schema: &mut Schema) {
    let Some(description) = schema.get("description").cloned() else { return };
    if let Some([inner, _null]) = schema.get_mut("anyOf").and_then(Value::as_array_mut).map(Vec::as_mut_slice) {
        inner["description"] = description;
    }
}

fn explain(schema: &mut Schema) {
    let words: Option<Vec<String>> =
        schema.get("oneOf").and_then(Value::as_array).and_then(|words| words.iter().map(explained).collect());
    let Some(words) = words else { return };
    let field = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{field}\n\nPossible enum values:\n{}", words.join("\n"));
    schema.insert("description".into(), description.into());
}

/// One variant, where it is a word with a docstring.
fn explained(variant: &Value) -> Option<String> {
    let [Value::String(word)] = variant["enum"].as_array()?.as_slice() else { return None };
    let meaning = variant["description"].as_str()?.replace('\n', " ");
    Some(format!(" - `\"{word}\"`: {meaning}"))
}
