//! A definition as its rules look at it: every schema with where it stands.
use std::{fmt, sync::LazyLock};

use serde_json::{Value, json};

/// A CustomResourceDefinition as JSON.
pub struct Definition(pub Value);

/// What a schema is of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Root,
    Field,
    /// The items of a list.
    Item,
    /// The values of a map.
    Value,
}

/// One schema of one version.
pub struct Node<'a> {
    /// Like `komputertasks/v1beta1.spec.agentRef`.
    pub path: String,
    /// The field's name; empty for what is none.
    pub name: &'a str,
    pub place: Place,
    pub schema: &'a Value,
    /// Whether the field may not be left out.
    pub required: bool,
    /// What it is part of, nearest last.
    pub ancestors: Vec<usize>,
    /// Whether it belongs to the stored version.
    pub stored: bool,
}

impl Node<'_> {
    /// The path within an object, like `spec.agentRef`; empty for the root.
    pub fn field_path(&self) -> &str {
        self.path.split_once('.').map_or("", |(_, path)| path)
    }

    /// Whether it is of `part`, like `spec`, or below.
    pub fn is_within(&self, part: &str) -> bool {
        self.field_path().split(['.', '[', '{']).next() == Some(part)
    }

    pub fn is(&self, type_: &str) -> bool {
        self.schema["type"] == type_
    }

    /// Its CEL rules.
    pub fn rules(&self) -> impl Iterator<Item = &Value> {
        self.schema["x-kubernetes-validations"].as_array().into_iter().flatten()
    }

    /// Its CEL rules that restrict changes. One that is asked at creation too lets what was there before be.
    pub fn transition_rules(&self) -> impl Iterator<Item = &Value> {
        self.rules().filter(|rule| text(&rule["rule"]).contains("oldSelf") && rule["optionalOldSelf"] != true)
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl Definition {
    pub fn plural(&self) -> &str {
        text(&self.0["spec"]["names"]["plural"])
    }

    pub fn versions(&self) -> &[Value] {
        self.0["spec"]["versions"].as_array().unwrap()
    }

    /// Every schema of every version, parents first.
    pub fn nodes(&self) -> Vec<Node<'_>> {
        let mut nodes = Vec::new();
        for version in self.versions() {
            nodes.append(&mut self.nodes_of(version));
        }
        nodes
    }

    /// Every schema of one version, parents first.
    pub fn nodes_of<'a>(&self, version: &'a Value) -> Vec<Node<'a>> {
        let mut nodes = vec![Node {
            path: format!("{}/{}", self.plural(), text(&version["name"])),
            name: "",
            place: Place::Root,
            schema: &version["schema"]["openAPIV3Schema"],
            required: true,
            ancestors: Vec::new(),
            stored: version["storage"] == true,
        }];
        let mut next = 0;
        while next < nodes.len() {
            let children = children(&nodes[next], next);
            nodes.extend(children);
            next += 1;
        }
        nodes
    }

    /// The schema of one field of the stored version, by a path like `spec.agentRef`.
    pub fn field_mut(&mut self, path: &str) -> &mut Value {
        let versions = self.0["spec"]["versions"].as_array_mut().unwrap();
        let stored = versions.iter_mut().find(|version| version["storage"] == true).unwrap();
        let schema = &mut stored["schema"]["openAPIV3Schema"];
        path.split('.').filter(|name| !name.is_empty()).fold(schema, |schema, name| &mut schema["properties"][name])
    }
}

fn children<'a>(parent: &Node<'a>, index: usize) -> Vec<Node<'a>> {
    let schema = parent.schema;
    let child = |suffix: String, name: &'a str, place: Place, schema: &'a Value, required: bool| Node {
        path: format!("{}{suffix}", parent.path),
        name,
        place,
        schema,
        required,
        ancestors: parent.ancestors.iter().copied().chain([index]).collect(),
        stored: parent.stored,
    };
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields = fields.map(|(name, field)| child(format!(".{name}"), name, Place::Field, field, required(name)));
    let items = schema.get("items").map(|items| child("[]".into(), "", Place::Item, items, true));
    let values = schema.get("additionalProperties").filter(|values| values.is_object());
    let values = values.map(|values| child("{}".into(), "", Place::Value, values, true));
    fields.chain(items).chain(values).collect()
}

/// The text of a value; empty where it is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The definitions that users install.
pub fn definitions() -> Vec<Definition> {
    static DERIVED: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let definitions = komputer_crds::definitions().unwrap();
        definitions.iter().map(|definition| serde_json::to_value(definition).unwrap()).collect()
    });
    DERIVED.iter().cloned().map(Definition).collect()
}

/// A definition that keeps to every rule but for what `break_it` does to it.
pub fn broken(break_it: impl FnOnce(&mut Definition)) -> Definition {
    let mut definition = definitions().into_iter().find(|definition| definition.plural() == "komputertasks").unwrap();
    break_it(&mut definition);
    definition
}

/// A definition that keeps to every rule but for the field `spec.broken`.
pub fn broken_field(schema: Value) -> Definition {
    broken(|definition| definition.field_mut("spec")["properties"]["broken"] = schema)
}

/// A definition that keeps to every rule but for this CEL rule of its spec.
pub fn broken_rule(rule: Value) -> Definition {
    broken(|definition| definition.field_mut("spec")["x-kubernetes-validations"] = json!([rule]))
}

/// Fails with every breach of the rule, and where the rule would not notice one in each of `broken`.
#[track_caller]
pub fn check<const N: usize>(id: &str, breaches: impl Fn(&Definition) -> Vec<String>, broken: [Definition; N]) {
    let found: Vec<String> = definitions().iter().flat_map(&breaches).collect();
    assert!(found.is_empty(), "{id} is broken:\n{}", found.join("\n"));
    for (number, definition) in broken.iter().enumerate() {
        assert!(!breaches(definition).is_empty(), "{id} does not notice broken definition {number}");
    }
}

/// The same for a rule about single schemas, which answers what is wrong with one.
#[track_caller]
pub fn check_nodes<const N: usize>(id: &str, breach: impl Fn(&Node) -> Option<String>, broken: [Definition; N]) {
    let breaches = |definition: &Definition| {
        definition.nodes().iter().filter_map(|node| Some(format!("{node}: {}", breach(node)?))).collect()
    };
    check(id, breaches, broken);
}
