use schemars::{Schema, SchemaGenerator, json_schema};

/// Conditions, as `metav1.Condition` bounds them; k8s-openapi knows their fields and not their bounds.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the object's state.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "type": "string", "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                    "description": "Which aspect: `Ready`, `Reconciling`, `Stalled` or `Deprecated`.",
                },
                "status": {
                    "description": "Whether the condition holds.",
                    "oneOf": [
                        { "type": "string", "const": "True", "description": "It holds." },
                        { "type": "string", "const": "False", "description": "It does not hold." },
                        { "type": "string", "const": "Unknown", "description": "It is not known yet." },
                    ],
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, in one word for programs.",
                },
                "message": {
                    "type": "string", "maxLength": 32768,
                    "description": "Why, in words for people, with what to do.",
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "The generation of the spec that the condition speaks of.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time",
                    "description": "When `status` last changed.",
                },
            },
        },
    })
}
