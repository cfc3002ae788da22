//! U and L: how definitions reach a cluster and stay there.
use std::{collections::BTreeMap, fs, path::Path};

use komputer_crds::{definitions, to_yaml};
use serde_json::json;

use crate::definition::{Definition, broken, check, text};

/// Client-side apply keeps the whole definition in an annotation, and there is a limit to that.
#[test]
fn u9_definitions_stay_small() {
    for definition in definitions().unwrap() {
        let bytes = to_yaml(&definition).unwrap().len();
        assert!(bytes < 200_000, "U9 is broken: {} has {bytes} bytes", definition.spec.names.plural);
    }
}

#[test]
fn u10_committed_files_are_the_definitions() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kustomize/base/crds");
    let expected: BTreeMap<String, String> = definitions()
        .unwrap()
        .iter()
        .map(|definition| (format!("{}.yaml", definition.spec.names.plural), to_yaml(definition).unwrap()))
        .collect();
    let names: Vec<String> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "kustomization.yaml")
        .collect();
    for name in &names {
        assert!(expected.contains_key(name), "U10 is broken: kustomize/base/crds/{name} defines no kind; remove it");
    }
    let kustomization = fs::read_to_string(directory.join("kustomization.yaml")).unwrap();
    for (name, yaml) in &expected {
        let committed = fs::read_to_string(directory.join(name)).unwrap_or_default();
        assert!(
            committed == *yaml,
            "U10 is broken: kustomize/base/crds/{name} is not what the types say; run `make generate`"
        );
        assert!(kustomization.contains(&format!("- {name}\n")), "kustomization.yaml does not list {name}; add it");
    }
}

/// A definition that goes takes every object with it.
#[test]
fn l3_definitions_outlive_what_prunes() {
    let breaches = |definition: &Definition| {
        let annotations = &definition.0["metadata"]["annotations"];
        let kept = text(&annotations["argocd.argoproj.io/sync-options"]).contains("Prune=false,Delete=false")
            && annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
            && annotations["helm.sh/resource-policy"] == "keep";
        (!kept).then(|| format!("{} may be pruned", definition.plural())).into_iter().collect()
    };
    check("L3", breaches, [broken(|definition| definition.0["metadata"]["annotations"] = json!({}))]);
}
