//! P: what people see.
use serde_json::{Value, json};

use crate::definition::{Definition, Node, Place, broken, broken_field, check, check_nodes, text};

/// `kubectl get` says first how an object is, then what it is about, and last how old it is.
#[test]
fn p1_columns_say_readiness_first_and_age_last() {
    let columns = |change: fn(&mut Vec<Value>)| {
        broken(|definition| {
            change(definition.0["spec"]["versions"][0]["additionalPrinterColumns"].as_array_mut().unwrap());
        })
    };
    let broken = [
        columns(|columns| drop(columns.pop())),
        columns(|columns| columns.retain(|column| column["name"] != "Ready")),
        columns(|columns| columns[0]["jsonPath"] = json!(".spec.agentReference.name")),
        columns(|columns| columns[0]["type"] = json!("integer")),
        columns(|columns| columns.iter_mut().for_each(|column| column["priority"] = json!(0))),
    ];
    check(
        "P1",
        |definition| definition.versions().iter().flat_map(|v| column_breaches(definition, v)).collect(),
        broken,
    );
}

fn column_breaches(definition: &Definition, version: &Value) -> Vec<String> {
    let columns = version["additionalPrinterColumns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let always = columns.iter().filter(|column| column["priority"].as_i64().unwrap_or_default() == 0).count();
    let mut found = Vec::new();
    if columns.last().is_none_or(|last| last["jsonPath"] != ".metadata.creationTimestamp" || last["name"] != "Age") {
        found.push("the last column is not Age".to_owned());
    }
    // v1alpha1 shows what it has always shown.
    if version["storage"] == true && always > 6 {
        found.push(format!("{always} columns without -o wide are too many for a terminal; six fit"));
    }
    let schema = &version["schema"]["openAPIV3Schema"];
    if version["storage"] == true && schema.pointer("/properties/status/properties/conditions").is_some() {
        let shows = |path: &str, widest: i64| {
            columns.iter().any(|c| c["jsonPath"] == path && c["priority"].as_i64().unwrap_or_default() <= widest)
        };
        if !shows(".status.conditions[?(@.type=='Ready')].status", 0) {
            found.push("no column shows whether it is Ready".into());
        }
        if !shows(".status.conditions[?(@.type=='Ready')].message", 1) {
            found.push("no column shows why it is Ready or not, not even with -o wide".into());
        }
    }
    found.extend(columns.iter().filter_map(|column| shown_breach(schema, column)));
    found.iter().map(|breach| format!("{}/{}: {breach}", definition.plural(), text(&version["name"]))).collect()
}

/// A path that leads nowhere shows nothing and says nothing.
fn shown_breach(schema: &Value, column: &Value) -> Option<String> {
    let (path, type_) = (text(&column["jsonPath"]), text(&column["type"]));
    if path.starts_with(".metadata.") {
        return None;
    }
    match field_at(schema, path) {
        None => Some(format!("the column of {path} shows a field that does not exist")),
        Some(field) => {
            let fits = match type_ {
                "date" => field["format"] == "date-time",
                other => field["type"] == other,
            };
            (!fits).then(|| format!("the column of {path} is of type {type_} and the field is not"))
        }
    }
}

/// The schema that a JSONPath like `.status.conditions[?(@.type=='Ready')].status` leads to.
fn field_at<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    let (name, rest) = match path.strip_prefix('.') {
        None if path.is_empty() => return Some(schema),
        None => return path.split_once(']').and_then(|(_, rest)| field_at(schema.get("items")?, rest)),
        Some(path) => path.split_at(path.find(['.', '[']).unwrap_or(path.len())),
    };
    field_at(schema["properties"].get(name)?, rest)
}

/// "Which tasks are this agent's" is one query, not a list that is read through.
#[test]
fn p4_whatever_is_referred_to_can_be_asked_for() {
    let breaches = |definition: &Definition| {
        let version = definition.versions().iter().find(|version| version["storage"] == true).unwrap();
        let selectable: Vec<&str> = version["selectableFields"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|field| text(&field["jsonPath"]))
            .collect();
        let nodes = definition.nodes_of(version);
        let references = nodes.iter().map(Node::field_path).filter(|path| {
            let mut parts = path.split('.');
            parts.next() == Some("spec")
                && parts.next().is_some_and(|field| field.ends_with("Ref"))
                && parts.eq(["name"])
        });
        let missing = references.filter(|path| !selectable.contains(&format!(".{path}").as_str()));
        let mut found: Vec<String> =
            missing.map(|path| format!("{}: .{path} is not selectable", definition.plural())).collect();
        if selectable.len() > 8 {
            found.push(format!("{}: the apiserver takes eight selectable fields at most", definition.plural()));
        }
        found
    };
    check("P4", breaches, [broken(|d| d.0["spec"]["versions"][0]["selectableFields"] = json!([]))]);
}

/// `kubectl explain` leaves no question open, and speaks of Kubernetes and not of Rust.
#[test]
fn p5_every_field_says_what_it_is() {
    let breach = |node: &Node| {
        let description = text(&node.schema["description"]);
        let (said, words) = description.split_once("\n\nPossible enum values:\n").unwrap_or((description, ""));
        let unexplained = |word: &&str| !words.lines().any(|line| line.starts_with(&format!(" - `\"{word}\"`: ")));
        let unexplained: Vec<&str> =
            node.schema["enum"].as_array().into_iter().flatten().map(text).filter(unexplained).collect();
        let rust = ["[`", "::", "Option<", "Vec<", "struct ", "TODO"].into_iter().find(|rust| said.contains(rust));
        // The apiserver describes metadata itself; a list's or a map's own description is of what is in it too.
        let silent_by_right = !matches!(node.place, Place::Root | Place::Field) || node.is_within("metadata");
        match () {
            () if !unexplained.is_empty() => {
                Some(format!("does not say what {unexplained:?} mean; document the variants"))
            }
            () if silent_by_right => None,
            () if said.trim().is_empty() => Some("has no description".into()),
            () if !said.trim().ends_with(['.', '!', ':']) => Some(format!("{said:?} is not a sentence")),
            () if rust.is_some() => Some(format!("{said:?} speaks of Rust")),
            () => None,
        }
    };
    let broken = [
        broken_field(json!({ "type": "string" })),
        broken_field(json!({ "type": "string", "description": "name" })),
        broken_field(json!({ "type": "string", "description": "See [`TaskMode`]." })),
        broken_field(json!({ "type": "string", "description": "When.", "enum": ["Always"] })),
    ];
    check_nodes("P5", breach, broken);
}

/// `kubectl apply` warns of every other format.
#[test]
fn p6_formats_are_known_to_the_apiserver() {
    let breach = |node: &Node| {
        let format = node.schema.get("format")?;
        let known = ["int32", "int64", "date-time", "date", "duration", "byte", "uuid", "ipv4", "ipv6", "cidr"];
        (!known.contains(&text(format))).then(|| format!("has format {format}"))
    };
    check_nodes("P6", breach, [broken_field(json!({ "type": "integer", "format": "uint32" }))]);
}

/// A float does not come back as it was written.
#[test]
fn a3_numbers_are_integers() {
    let breach = |node: &Node| node.is("number").then(|| "is a float".into());
    check_nodes("A3", breach, [broken_field(json!({ "type": "number", "description": "Half." }))]);
}
