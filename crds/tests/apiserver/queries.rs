use crate::cluster::{cluster, object, quietly, reference_examples, turn};

#[test]
fn p2_the_category_lists_every_kind() {
    let (cluster, _turn) = (cluster(), turn());
    quietly(&cluster, &["create", "namespace", "category"], "");
    for (_, yaml) in reference_examples() {
        quietly(&cluster, &["apply", "-n", "category", "-f", "-"], &yaml);
    }
    let listed = quietly(&cluster, &["get", "komputer", "-A", "-o", "name"], "");
    for (plural, yaml) in reference_examples() {
        let example = object(&yaml);
        let kind = example["kind"].as_str().unwrap().to_lowercase();
        let name = format!("{kind}.komputer.komputer.ai/{}\n", example["metadata"]["name"].as_str().unwrap());
        assert!(listed.contains(&name), "{plural} is not listed:\n{listed}");
    }
}

/// Short names are what kubectl takes them for.
#[test]
fn p2_short_names_name_their_kind() {
    let cluster = cluster();
    for definition in komputer_crds::definitions().unwrap() {
        for name in definition.spec.names.short_names.iter().flatten() {
            let explained = quietly(&cluster, &["explain", name], "");
            assert!(
                explained.contains(&format!("KIND:       {}\n", definition.spec.names.kind)),
                "{name}:\n{explained}"
            );
        }
    }
}

#[test]
fn p4_every_selectable_field_answers_a_query() {
    let (cluster, _turn) = (cluster(), turn());
    quietly(&cluster, &["create", "namespace", "selectors"], "");
    let mut found = 0;
    for (definition, (plural, yaml)) in komputer_crds::definitions().unwrap().iter().zip(reference_examples()) {
        quietly(&cluster, &["apply", "-n", "selectors", "-f", "-"], &yaml);
        let example = object(&yaml);
        let stored = definition.spec.versions.iter().find(|version| version.storage).unwrap();
        for field in stored.selectable_fields.iter().flatten() {
            let path = field.json_path.trim_start_matches('.');
            let get = |selector: String| {
                quietly(&cluster, &["get", &plural, "-n", "selectors", "-o", "name", "--field-selector", &selector], "")
            };
            assert_eq!(get(format!("{path}=nothing-like-it")), "", "{plural} {path}");
            // What the operator writes is empty here.
            let value = example.pointer(&format!("/{}", path.replace('.', "/"))).and_then(|value| value.as_str());
            let listed = get(format!("{path}={}", value.unwrap_or_default()));
            assert!(
                listed.ends_with(&format!("/{}\n", example["metadata"]["name"].as_str().unwrap())),
                "{path}: {listed}"
            );
            found += 1;
        }
    }
    assert!(found >= 3, "{found} fields");
}
