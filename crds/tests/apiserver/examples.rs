use std::collections::BTreeSet;

use komputer_crds::{GROUP, STORAGE_VERSION};
use komputer_tests::{cluster::LightCluster, document::yaml_blocks};
use serde_json::{Value, json};

use crate::cluster::{cluster, manifests, quietly, repository};

/// Applied either way: again without a change, without a difference, and with the spec as it is written.
#[test]
fn every_example_applies_and_stays_as_it_is() {
    let cluster = cluster();
    for way in [&["apply"][..], &["apply", "--server-side"]] {
        let (namespaces, objects) = examples(way.len());
        for namespace in namespaces {
            quietly(&cluster, &["create", "namespace", &namespace], "");
        }
        let written = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        let kubectl = |arguments: &[&str]| quietly(&cluster, &[arguments, &["-f", "-"]].concat(), &written);
        kubectl(way);
        // The first write after creation stores the status that was only defaulted until then.
        kubectl(way);
        let before = stored(&cluster, &written);
        kubectl(way);
        assert_eq!(before, stored(&cluster, &written), "applying the examples again changes them");
        for (stored, example) in before.iter().zip(&objects) {
            assert_eq!(
                stored["spec"], example["spec"],
                "{} is not stored as it is written",
                example["metadata"]["name"]
            );
        }
        assert_eq!(before.len(), objects.len());
        assert_eq!(kubectl(&["diff"]), "");
        // Another way than before would have another owner.
        if way.contains(&"--server-side") {
            assert_eq!(kubectl(&["diff", "--server-side"]), "");
        }
    }
}

#[test]
fn what_the_document_of_connectors_shows_applies_as_it_stands_there() {
    let cluster = cluster();
    for namespace in ["team", "tools"] {
        quietly(&cluster, &["create", "namespace", namespace], "");
    }
    let document = std::fs::read_to_string(repository("docs/connectors.md")).unwrap();
    let blocks = yaml_blocks(&document);
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        quietly(&cluster, &["apply", "--server-side", "-f", "-"], block);
    }
}

fn stored(cluster: &LightCluster, written: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(&quietly(cluster, &["get", "-o", "json", "-f", "-"], written)).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// All examples, each directory in a namespace of its own, because different ones use the same names.
fn examples(number: usize) -> (BTreeSet<String>, Vec<Value>) {
    let cluster_scoped: Vec<String> = komputer_crds::definitions()
        .unwrap()
        .into_iter()
        .filter(|definition| definition.spec.scope == "Cluster")
        .map(|definition| definition.spec.names.kind)
        .collect();
    let (mut namespaces, mut objects) = (BTreeSet::new(), Vec::new());
    // Nothing converts other versions here.
    let stored = format!("{GROUP}/{STORAGE_VERSION}");
    let manifests = [manifests("docs/reference/examples"), manifests("examples")].concat();
    for (path, mut object) in manifests.into_iter().filter(|(_, object)| object["apiVersion"] == stored) {
        let directory = path.parent().and_then(|parent| parent.file_name()).unwrap().to_str().unwrap();
        let place = format!("{directory}-{number}");
        let is_cluster_scoped = cluster_scoped.iter().any(|kind| object["kind"] == *kind);
        let metadata = &mut object["metadata"];
        if is_cluster_scoped {
            metadata["name"] = format!("{}-{place}", metadata["name"].as_str().unwrap()).into();
        } else {
            metadata["namespace"] = place.clone().into();
        }
        namespaces.insert(place);
        objects.push(object);
    }
    assert!(objects.len() >= 6, "{} examples", objects.len());
    (namespaces, objects)
}
