//! V: what is refused.
use serde_json::{Value, json};

use crate::definition::{Node, Place, broken, broken_field, broken_rule, check_nodes, text};

/// The apiserver estimates what a CEL rule may cost from the bounds of what it reads, and etcd stores what is unbounded.
/// The statuses of versions that are only converted to are bounded where they are stored.
#[test]
fn v3_everything_has_a_bound() {
    let breach = |node: &Node| {
        let bounded = node.is_within("spec") || (node.stored && node.is_within("status"));
        if !bounded {
            return None;
        }
        let has = |bound: &&str| node.schema.get(*bound).is_some();
        // A pattern does not count for the apiserver.
        let bounds: &[&str] = match () {
            () if node.is("string") || has(&"x-kubernetes-int-or-string") => &["maxLength", "enum", "format"],
            () if node.is("array") => &["maxItems"],
            () if has(&"additionalProperties") => &["maxProperties"],
            () => return None,
        };
        (!bounds.iter().any(has)).then(|| format!("has no {}", bounds[0]))
    };
    let broken = [
        broken_field(json!({ "type": "string", "pattern": "^a*$" })),
        broken_field(json!({ "type": "array", "items": { "type": "string", "maxLength": 1 } })),
        broken_field(json!({ "type": "array", "maxItems": 1, "items": { "type": "string" } })),
        broken_field(json!({ "type": "object", "additionalProperties": { "type": "string", "maxLength": 1 } })),
        broken_field(json!({ "x-kubernetes-int-or-string": true })),
    ];
    check_nodes("V3", breach, broken);
}

/// A refusal says where, why and what to do.
#[test]
fn v4_every_rule_has_a_message_a_reason_and_a_place() {
    let breach = |node: &Node| {
        let breaches: Vec<String> = node.rules().filter_map(|rule| rule_breach(node, rule)).collect();
        (!breaches.is_empty()).then(|| breaches.join("; "))
    };
    let broken = [
        broken_rule(json!({ "rule": "self == oldSelf", "reason": "FieldValueForbidden" })),
        broken_rule(json!({ "rule": "self == oldSelf", "message": "m" })),
        broken_rule(json!({ "rule": "self.instructions != ''", "message": "m", "reason": "FieldValueInvalid" })),
    ];
    check_nodes("V4", breach, broken);
}

/// The apiserver asks a rule again where anything of what it is about has changed, and of a whole object something always
/// has: its resourceVersion, a label, its status. What an object from before the rule holds must not keep it from that.
#[test]
fn v8_rules_of_whole_objects_let_old_ones_be() {
    let breach = |node: &Node| {
        let unfair = node.rules().find(|rule| node.place == Place::Root && rule["optionalOldSelf"] != true)?;
        Some(format!(
            "{} would refuse every change of an old object; ask for oldSelf with optionalOldSelf",
            unfair["rule"]
        ))
    };
    let strict = broken(|definition| {
        let rule =
            json!([{ "rule": "self.metadata.name.size() <= 10", "message": "m", "reason": "FieldValueInvalid" }]);
        definition.field_mut("")["x-kubernetes-validations"] = rule;
    });
    check_nodes("V8", breach, [strict]);
}

fn rule_breach(node: &Node, rule: &Value) -> Option<String> {
    let says = |key: &str| !text(&rule[key]).is_empty();
    let about = only_field(node, text(&rule["rule"]));
    match about {
        _ if !says("message") && !says("messageExpression") => Some(format!("{rule} has no message")),
        _ if !says("reason") => Some(format!("{rule} has no reason")),
        Some(field) if !says("fieldPath") => Some(format!("{rule} is about .{field} alone and has no fieldPath")),
        _ => None,
    }
}

/// The field that a rule of its parent is about, where it is about one alone.
fn only_field<'a>(node: &Node<'a>, rule: &str) -> Option<&'a str> {
    let names = node.schema["properties"].as_object()?.keys();
    let mentioned = |name: &&String| {
        // Of self, and of oldSelf.
        let field = format!("elf.{name}");
        rule.match_indices(&field).any(|(at, _)| !rule[at + field.len()..].starts_with(|c: char| c.is_alphanumeric()))
    };
    let mut about = names.filter(mentioned);
    let only = about.next()?;
    about.next().is_none().then_some(only.as_str())
}
