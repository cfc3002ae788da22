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

/// An address of HTTP that may be long.
pub(crate) fn long_url(_: &mut SchemaGenerator) -> Schema {
    form(2048, "self.matches('^https?://[^ ]+$')", "must begin with http:// or https:// and a host; correct it")
}

/// A host and a port.
pub(crate) fn host_and_port(_: &mut SchemaGenerator) -> Schema {
    let message = "must be a host and a port, like komputer-redis.komputer-system.svc:6379; correct it";
    form(261, "self.matches('^[^ /:]+:[0-9]{1,5}$')", message)
}

/// A limit in US dollars that something can stay below.
pub(crate) fn positive_limit(_: &mut SchemaGenerator) -> Schema {
    let message =
        "must be US dollars above nothing, as a decimal with at most nine decimals, like 100.00 in quotes; correct it";
    form(20, "self.matches('^[0-9]{1,10}([.][0-9]{1,9})?$') && self.matches('[1-9]')", message)
}

/// A limit in US dollars.
pub(crate) fn limit(_: &mut SchemaGenerator) -> Schema {
    let message = "must be US dollars as a decimal with at most nine decimals, like 2.50 in quotes; correct it";
    form(20, "self.matches('^[0-9]{1,10}([.][0-9]{1,9})?$')", message)
}

/// What an object's name has to be, from apimachinery's `IsDNS1123Subdomain`.
const OBJECT_NAME: &str = "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')";

/// The name of an object.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    form(253, OBJECT_NAME, "must be an object's name, of lower-case letters, digits, '-' and '.'; correct it")
}

/// The name of an agent, after which its pod and its tasks are named.
pub(crate) fn agent_name(_: &mut SchemaGenerator) -> Schema {
    let message = "must be an agent's name, of lower-case letters, digits, '-' and '.', at most 54; correct it";
    form(54, OBJECT_NAME, message)
}

/// The name of a namespace.
pub(crate) fn namespace(_: &mut SchemaGenerator) -> Schema {
    let message = "must be a namespace's name, of lower-case letters, digits and '-'; correct it";
    form(63, "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", message)
}

/// Names of namespaces, or `*` for all.
pub(crate) fn namespaces(_: &mut SchemaGenerator) -> Schema {
    let message = "must be a namespace's name, of lower-case letters, digits and '-', or * for all; correct it";
    json_schema!({
        "type": "array", "maxItems": 256, "x-kubernetes-list-type": "set",
        "items": form(63, "self == '*' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", message),
    })
}

/// A key of a Secret, from apimachinery's `IsConfigMapKey`.
pub(crate) fn secret_key(_: &mut SchemaGenerator) -> Schema {
    let message = "must be a key of a Secret, of letters, digits, '-', '_' and '.'; correct it";
    form(253, "self.matches('^[-._a-zA-Z0-9]+$')", message)
}

/// A cron expression; which values a field may have, the webhook and the operator know.
pub(crate) fn cron(_: &mut SchemaGenerator) -> Schema {
    let message = "must be a cron expression of five fields, like 0 9 * * 1-5, of six with seconds first, or a word like @daily; correct it";
    form(256, "self.matches('^(@[a-z]+|[^ \\t]+([ \\t]+[^ \\t]+){4,5})$')", message)
}

/// A time zone; which there are, the webhook and the operator know.
pub(crate) fn time_zone(_: &mut SchemaGenerator) -> Schema {
    let message = "must be an IANA time zone like Europe/Berlin, or UTC; correct it, or remove it for UTC";
    form(64, "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$')", message)
}

/// A length of time.
pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    let message = "must be a length of time like 90s, 10m or 1h30m; correct it";
    form(32, "self.matches('^([0-9]{1,9}([.][0-9]{1,9})?(h|m|s|ms))+$')", message)
}

/// The name of an HTTP header, from RFC 9110.
pub(crate) fn header_name(_: &mut SchemaGenerator) -> Schema {
    let message = "must be the name of an HTTP header, like X-Api-Key; correct it";
    form(128, "self.matches('^[A-Za-z0-9!#$%&*+.^_|~-]+$')", message)
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
