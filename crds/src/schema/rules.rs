use schemars::{Schema, SchemaGenerator, json_schema};

/// The form of a Kubernetes quantity, from apimachinery's `resource.Quantity`.
const QUANTITY: &str = "^[0-9]+([.][0-9]+)?([EPTGMk]i?|Ki|m)?$";

/// US dollars as a decimal.
pub(crate) fn amount(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 20, "pattern": "^[0-9]{1,10}([.][0-9]{1,9})?$" })
}

/// A quantity, like `5Gi`.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 32, "pattern": QUANTITY })
}

/// Quantities by resource name.
pub(crate) fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 32, "pattern": QUANTITY },
    })
}

/// Labels, as on any object.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}

/// An object whose fields somebody else defines.
pub(crate) fn opaque(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}
