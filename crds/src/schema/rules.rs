use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// The form of a Kubernetes quantity, from apimachinery's `resource.Quantity`.
const QUANTITY: &str = "^[0-9]+([.][0-9]+)?([EPTGMk]i?|Ki|m)?$";

/// A text of a form that CEL checks, because its message can say what to do and a pattern's cannot.
fn form(length: u32, rule: &str, message: &str) -> Schema {
    let rule = json!({ "rule": rule, "message": message, "reason": "FieldValueInvalid" });
    json_schema!({ "type": "string", "maxLength": length, "x-kubernetes-validations": [rule] })
}

/// A Claude model's name; [`crate::validate`] has the same rule for what comes through another version.
pub(crate) fn model(_: &mut SchemaGenerator) -> Schema {
    let message = "must be a model's name like claude-sonnet-4-6, of letters, digits and . _ : / @ -; correct it, or remove it for the default";
    form(128, "self.matches('^[A-Za-z0-9][A-Za-z0-9._:/@-]*$')", message)
}

/// A template's name.
pub(crate) fn template_name(_: &mut SchemaGenerator) -> Schema {
    let message = "must name a template; name one, or remove templateRef for the template called default";
    form(253, "self != ''", message)
}

/// An address of HTTP.
pub(crate) fn url(_: &mut SchemaGenerator) -> Schema {
    form(512, "self.matches('^https?://[^ ]+$')", "must begin with http:// or https:// and a host; correct it")
}

/// A limit in US dollars.
pub(crate) fn limit(_: &mut SchemaGenerator) -> Schema {
    let message = "must be US dollars as a decimal with at most nine decimals, like 2.50 in quotes; correct it";
    form(20, "self.matches('^[0-9]{1,10}([.][0-9]{1,9})?$')", message)
}

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
