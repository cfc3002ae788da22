//! What a schema bounds a value to, in words.
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use super::markdown::code;

/// The schema of a list's items.
pub(super) fn items(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// The schema of a map's values.
pub(super) fn values(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(values) => Some(values),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

/// Whether its fields are described one by one.
pub(super) fn has_fields(schema: &JSONSchemaProps) -> bool {
    schema.properties.as_ref().is_some_and(|fields| !fields.is_empty())
}

/// The type of a value, in words.
pub(super) fn type_name(schema: &JSONSchemaProps) -> String {
    if schema.x_kubernetes_int_or_string == Some(true) {
        return "integer or string".into();
    }
    match (schema.type_.as_deref(), schema.format.as_deref()) {
        (Some("array"), _) => format!("list of {}", items(schema).map_or("anything".into(), type_name)),
        (Some("object"), _) if has_fields(schema) => "object".into(),
        (Some("object"), _) => match values(schema) {
            Some(values) => format!("map of {}", type_name(values)),
            None => "any object".into(),
        },
        (Some("string"), Some("date-time")) => "time (RFC 3339)".into(),
        (Some(type_), Some(format)) => format!("{type_} ({format})"),
        (Some(type_), None) => type_.into(),
        (None, _) => "anything".into(),
    }
}

/// Every bound of a value and of what it is made of.
pub(super) fn bounds(schema: &JSONSchemaProps) -> Vec<String> {
    let mut bounds = Vec::new();
    let number = |number: Option<f64>| number.map(|number| number.to_string());
    let count = |count: Option<i64>| count.map(|count| count.to_string());
    bounds.extend(range(count(schema.min_length), count(schema.max_length), "character"));
    bounds.extend(range(count(schema.min_items), count(schema.max_items), "item"));
    bounds.extend(range(count(schema.min_properties), count(schema.max_properties), "entry"));
    bounds.extend(range(number(schema.minimum), number(schema.maximum), ""));
    bounds.extend(schema.pattern.as_ref().map(|pattern| format!("matches {}", code(pattern))));
    let part = items(schema).or_else(|| values(schema)).filter(|part| !has_fields(part));
    bounds.extend(part.map(self::bounds).into_iter().flatten().map(|bound| format!("each {bound}")));
    bounds
}

/// `1 to 63 characters`; bounds of a number have no unit.
fn range(least: Option<String>, most: Option<String>, unit: &str) -> Option<String> {
    let units = |most: &str| match (unit, most) {
        ("", _) => String::new(),
        (_, "1") => format!(" {unit}"),
        ("entry", _) => " entries".into(),
        _ => format!(" {unit}s"),
    };
    match (least.filter(|least| unit.is_empty() || least != "0"), most) {
        (Some(least), Some(most)) if least == most => Some(format!("exactly {most}{}", units(&most))),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{}", units(&most))),
        (Some(least), None) => Some(format!("at least {least}{}", units(&least))),
        (None, Some(most)) => Some(format!("at most {most}{}", units(&most))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{bounds, type_name};

    fn read(schema: Value) -> String {
        let schema = serde_json::from_value(schema).unwrap();
        [vec![type_name(&schema)], bounds(&schema)].concat().join("; ")
    }

    #[test]
    fn schemas_are_put_into_words() {
        let row = |schema: Value, expected: &str| assert_eq!(read(schema), expected);
        row(json!({ "type": "string", "minLength": 1, "maxLength": 63 }), "string; 1 to 63 characters");
        row(json!({ "type": "string", "minLength": 0, "maxLength": 1 }), "string; at most 1 character");
        row(json!({ "type": "string", "pattern": "^a|b$" }), "string; matches `^a|b$`");
        row(json!({ "type": "integer", "format": "int32", "minimum": -5.0 }), "integer (int32); at least -5");
        row(json!({ "type": "integer", "minimum": 0.0, "maximum": 9.0 }), "integer; 0 to 9");
        row(json!({ "x-kubernetes-int-or-string": true, "maxLength": 9 }), "integer or string; at most 9 characters");
        row(json!({ "type": "string", "format": "date-time" }), "time (RFC 3339)");
        row(json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }), "any object");
        let word = json!({ "type": "string", "maxLength": 9 });
        row(
            json!({ "type": "array", "maxItems": 2, "items": word }),
            "list of string; at most 2 items; each at most 9 characters",
        );
        row(
            json!({ "type": "object", "maxProperties": 1, "additionalProperties": word }),
            "map of string; at most 1 entry; each at most 9 characters",
        );
        let object = json!({ "type": "object", "properties": { "name": word } });
        row(
            json!({ "type": "array", "minItems": 1, "maxItems": 1, "items": object }),
            "list of object; exactly 1 item",
        );
    }
}
