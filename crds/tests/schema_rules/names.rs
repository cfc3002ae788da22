//! P2: what people type.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::definition::{Definition, broken, check, definitions, text};

/// The category that lists every kind of ours.
const CATEGORY: &str = "komputer";

/// `name kind group` of every short name, and every category, of Kubernetes and of what is often installed beside us.
const TAKEN: &str = include_str!("taken-names.txt");

fn names<'a>(definition: &'a Definition, of: &str) -> impl Iterator<Item = &'a str> {
    definition.0["spec"]["names"][of].as_array().into_iter().flatten().map(text)
}

fn taken() -> BTreeMap<&'static str, &'static str> {
    let lines = TAKEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap()).collect()
}

/// kubectl lists another's things where a name of ours is a short name or a category of theirs.
#[test]
fn p2_names_are_short_and_nobody_elses() {
    let breaches = |definition: &Definition| {
        let taken = taken();
        let mut found = Vec::new();
        for name in names(definition, "shortNames") {
            if !(2..=3).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
                found.push(format!("short name {name} is not two or three lower-case letters"));
            }
        }
        for name in names(definition, "shortNames").chain(names(definition, "categories")) {
            if let Some(owner) = taken.get(name) {
                found.push(format!("{name} is taken by {owner}"));
            }
        }
        if !names(definition, "categories").any(|category| category == CATEGORY) {
            found.push(format!("`kubectl get {CATEGORY}` does not list it"));
        }
        found.iter().map(|breach| format!("{}: {breach}", definition.plural())).collect()
    };
    let named = |of: &str, names: Value| broken(|definition| definition.0["spec"]["names"][of] = names);
    let broken = [
        named("shortNames", json!(["ks"])),
        named("shortNames", json!(["ktask"])),
        named("categories", json!([])),
        named("categories", json!(["komputer", "kagent"])),
    ];
    check("P2", breaches, broken);
}

#[test]
fn p2_no_two_kinds_have_a_name_in_common() {
    let mut owners = BTreeMap::new();
    for definition in definitions() {
        let own = [text(&definition.0["spec"]["names"]["singular"]), definition.plural()];
        for name in names(&definition, "shortNames").chain(own) {
            let other = owners.insert(name.to_owned(), definition.plural().to_owned());
            assert!(other.is_none(), "P2 is broken: {name} is of {} and of {other:?}", definition.plural());
        }
    }
}

#[test]
fn p2_the_list_of_taken_names_is_one() {
    let names: Vec<&str> =
        TAKEN.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 300, "{} names", names.len());
    for line in TAKEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert_eq!(line.split(' ').count(), 3, "expected `name kind group`, found {line:?}");
    }
}
