//! I: what does not change.
use serde_json::{Value, json};

use crate::definition::{Definition, Node, Place, broken, broken_rule, check, check_nodes, text};

/// A rule of a field is not asked where the field goes away, so the parent has to ask whether it was there.
#[test]
fn i1_leaving_a_field_out_is_no_way_round_its_immutability() {
    let optional = broken(|definition| {
        let rule = json!([{ "rule": "self == oldSelf", "message": "m", "reason": "FieldValueForbidden" }]);
        definition.field_mut("spec.model")["x-kubernetes-validations"] = rule;
        definition.field_mut("spec")["x-kubernetes-validations"] = json!([]);
    });
    let parent = broken_rule(json!({ "rule": "self.model == oldSelf.model", "message": "model is immutable" }));
    check("I1", breaches, [optional, parent]);
}

fn breaches(definition: &Definition) -> Vec<String> {
    let mut found = Vec::new();
    for version in definition.versions() {
        let nodes = definition.nodes_of(version);
        for node in nodes.iter().filter(|node| node.transition_rules().next().is_some()) {
            found.extend(optional_above(&nodes, node).map(|field| {
                format!("{node}: {} may be left out; add a rule with has(oldSelf.{}) to its parent", field, field.name)
            }));
            for rule in node.transition_rules() {
                found.extend(unasked(node, text(&rule["rule"])).map(|field| {
                    format!(
                        "{node}: a rule reads {field}, which may be left out, and does not ask has(oldSelf.{field})"
                    )
                }));
            }
        }
    }
    found
}

/// The field, or what it is in, where leaving that out would pass the rule by.
fn optional_above<'a>(nodes: &'a [Node<'a>], node: &'a Node<'a>) -> impl Iterator<Item = &'a Node<'a>> {
    let own = nodes.iter().find(|other| other.path == node.path);
    let above = node.ancestors.iter().rev().filter_map(|index| nodes.get(*index));
    // An item that goes away is an item that is removed.
    let chain = own.into_iter().chain(above).take_while(|node| node.place == Place::Field);
    chain.filter(|field| !field.required && !asks(nodes, field))
}

fn asks(nodes: &[Node], field: &Node) -> bool {
    let Some(parent) = field.ancestors.last().and_then(|index| nodes.get(*index)) else { return false };
    let has = |object: &str| format!("has({object}.{})", field.name);
    parent.transition_rules().any(|rule| {
        let rule = text(&rule["rule"]);
        rule.contains(&has("oldSelf")) && rule.contains(&has("self"))
    })
}

/// Optional fields that a rule of their parent reads without asking whether they are there.
fn unasked<'a>(node: &Node<'a>, rule: &str) -> impl Iterator<Item = &'a str> {
    let required: Vec<&str> = node.schema["required"].as_array().into_iter().flatten().map(text).collect();
    let fields = node.schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    fields.filter(move |name| {
        mentions(rule, &format!("self.{name}"))
            && !required.contains(name)
            && !(rule.contains(&format!("has(self.{name})")) && rule.contains(&format!("has(oldSelf.{name})")))
    })
}

/// Whether `rule` reads `field`, and not one whose name only begins with it.
fn mentions(rule: &str, field: &str) -> bool {
    rule.match_indices(field).any(|(at, _)| {
        let after = rule[at + field.len()..].chars().next();
        let before = rule[..at].chars().next_back();
        !after.is_some_and(char::is_alphanumeric) && !before.is_some_and(|c| c.is_alphanumeric() || c == '.')
    })
}

/// Flux makes an object anew, where it is told to, when the words say `is immutable`.
#[test]
fn i2_every_transition_rule_says_is_immutable() {
    let breach = |node: &Node| {
        let wrong = node.transition_rules().find(|rule| !text(&rule["message"]).contains("is immutable"))?;
        Some(format!("{} does not say \"is immutable\"", wrong["message"]))
    };
    check_nodes("I2", breach, [broken_rule(json!({ "rule": "self == oldSelf", "message": "cannot change" }))]);
}

/// Whoever reads about a field learns that it will not change.
#[test]
fn i3_what_is_immutable_is_described_as_that() {
    let breach = |node: &Node| {
        let said = |schema: &Value| {
            let description = text(&schema["description"]).to_lowercase();
            description.contains("immutable") || description.contains("cannot be")
        };
        node.transition_rules().find_map(|rule| {
            let field = text(&rule["fieldPath"]).strip_prefix('.');
            let schema = field.map_or(node.schema, |field| &node.schema["properties"][field]);
            let about_one = field.is_some() || rule["rule"] == "self == oldSelf";
            (about_one && !said(schema))
                .then(|| format!("{} does not say that it is immutable", field.unwrap_or_default()))
        })
    };
    let silent = broken(|definition| definition.field_mut("spec.model")["description"] = json!("The model."));
    let field = broken(|definition| definition.field_mut("spec.agentRef")["description"] = json!("The agent."));
    check_nodes("I3", breach, [silent, field]);
}
