//! D: what is left out.
use serde_json::json;

use crate::{
    definition::{Node, Place, broken_field, check_nodes},
    reviewed::nodes_are_reviewed,
};

/// Absent means something, and the operator knows what. A default in the schema shows up in everybody's objects, and
/// may never change again.
#[test]
fn d1_every_default_is_reviewed() {
    nodes_are_reviewed("D1", "defaults.txt", |node| Some(format!("{node} = {}", node.schema.get("default")?)));
}

/// An item that is defaulted makes the same manifest conflict with itself.
#[test]
fn d2_nothing_in_a_list_has_a_default() {
    let breach = |node: &Node| {
        let in_list = node.place == Place::Item || node.path.contains("[]");
        (in_list && node.schema.get("default").is_some()).then(|| "is in a list and has a default".into())
    };
    let item = json!({ "type": "object", "properties": { "size": { "type": "string", "default": "5Gi" } } });
    check_nodes("D2", breach, [broken_field(json!({ "type": "array", "items": item }))]);
}

/// `null` in Git is the same as absent.
#[test]
fn d5_nothing_is_nullable() {
    let breach = |node: &Node| node.schema.get("nullable").map(|_| "is nullable".into());
    check_nodes("D5", breach, [broken_field(json!({ "type": "string", "nullable": true }))]);
}
