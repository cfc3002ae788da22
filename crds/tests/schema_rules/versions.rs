//! C: versions of a kind.
use serde_json::json;

use crate::definition::{Definition, broken, check, text};

/// A kind of one version needs no webhook to be read.
#[test]
fn c6_only_kinds_of_several_versions_are_converted() {
    let breaches = |definition: &Definition| {
        let converted = definition.0["spec"].get("conversion").is_some();
        let wrong = converted != (definition.versions().len() > 1);
        wrong
            .then(|| format!("{}: conversion and number of versions do not fit", definition.plural()))
            .into_iter()
            .collect()
    };
    check("C6", breaches, [broken(|definition| definition.0["spec"]["conversion"] = json!({ "strategy": "None" }))]);
}

/// A namespace that is deleted while the webhook is down is listed in the preferred version.
#[test]
fn c7_the_preferred_version_is_stored() {
    let breaches = |definition: &Definition| {
        let stored = definition.versions().iter().filter(|version| version["storage"] == true);
        let stored: Vec<&str> = stored.map(|version| text(&version["name"])).collect();
        (stored != [komputer_crds::STORAGE_VERSION])
            .then(|| format!("{} stores {stored:?}", definition.plural()))
            .into_iter()
            .collect()
    };
    check("C7", breaches, [broken(|definition| definition.0["spec"]["versions"][0]["name"] = json!("v1beta2"))]);
}

/// Whoever uses an old version is told which to use.
#[test]
fn c8_old_versions_warn() {
    let breaches = |definition: &Definition| {
        let old = definition.versions().iter().filter(|version| version["storage"] != true);
        let silent = old.filter(|version| {
            version["deprecated"] != true
                || !text(&version["deprecationWarning"]).contains(komputer_crds::STORAGE_VERSION)
        });
        silent.map(|version| format!("{}/{} does not warn", definition.plural(), version["name"])).collect()
    };
    check(
        "C8",
        breaches,
        [broken(|definition| {
            let versions = definition.0["spec"]["versions"].as_array_mut().unwrap();
            let mut old = versions[0].clone();
            old["name"] = json!("v1alpha1");
            old["storage"] = json!(false);
            versions.push(old);
        })],
    );
}
