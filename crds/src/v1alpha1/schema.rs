//! Bounds that are wide enough for whatever the system before komputer took, and narrow enough for the apiserver.
use schemars::{Schema, SchemaGenerator, json_schema};

/// Labels, as on any object.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 1024,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}

/// Names, or names with their namespace ahead: `name` or `namespace/name`.
pub(super) fn references(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 1024, "x-kubernetes-list-type": "atomic",
        "items": { "type": "string", "maxLength": 317 },
    })
}
