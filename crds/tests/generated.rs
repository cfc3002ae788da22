//! What is made from the types: the API reference and the JSON Schemas.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use komputer_crds::{definitions, json_schemas, reference};

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The files in a directory of the repository that have this extension, by name.
fn files(directory: &str, extension: &str) -> BTreeMap<String, String> {
    let paths = fs::read_dir(repository(directory)).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    paths.map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read_to_string(path).unwrap())).collect()
}

fn examples() -> reference::Examples {
    let mut examples = reference::Examples::default();
    for (name, yaml) in files("docs/reference/examples", "yaml") {
        examples.add_own(&name, yaml);
    }
    examples
}

fn print_reference(directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_print-reference")).arg(directory).output().unwrap()
}

#[test]
fn committed_pages_are_what_the_types_say() {
    let directory = tempfile::tempdir().unwrap();
    let output = print_reference(directory.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let made: BTreeMap<String, String> = made
        .map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read_to_string(path).unwrap()))
        .collect();
    let committed = files("docs/reference", "md");
    assert_eq!(committed.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>(), "run `make generate`");
    for (name, page) in &made {
        assert!(committed[name] == *page, "docs/reference/{name} is not what the types say; run `make generate`");
    }
}

#[test]
fn committed_schemas_are_what_the_types_say() {
    let made = json_schemas(&definitions().unwrap()).unwrap();
    let made: BTreeMap<&str, String> = made
        .iter()
        .map(|(path, schema)| {
            let name = path.strip_prefix("komputer.komputer.ai/").unwrap();
            (name, serde_json::to_string_pretty(schema).unwrap() + "\n")
        })
        .collect();
    let committed = files("docs/schemas/komputer.komputer.ai", "json");
    assert_eq!(
        committed.keys().map(String::as_str).collect::<Vec<_>>(),
        made.keys().copied().collect::<Vec<_>>(),
        "run `make generate`"
    );
    for (name, schema) in &made {
        assert!(committed[*name] == *schema, "docs/schemas/…/{name} is not what the types say; run `make generate`");
    }
}

#[test]
fn every_field_of_every_version_has_an_address() {
    let definitions = definitions().unwrap();
    let pages = reference::pages(&definitions, &examples()).unwrap();
    for definition in &definitions {
        let page = &pages[&format!("{}.md", definition.spec.names.kind.to_lowercase())];
        for version in &definition.spec.versions {
            let schema = serde_json::to_value(version.schema.as_ref().unwrap().open_api_v3_schema.as_ref()).unwrap();
            for part in ["spec", "status"] {
                for path in paths(&format!("{}.{part}", version.name), &schema["properties"][part]) {
                    assert!(page.contains(&format!("<a id=\"{path}\"></a>")), "{path} is not on the page:\n{page}");
                }
            }
        }
    }
}

/// `path` and those of all fields below it.
fn paths(path: &str, schema: &serde_json::Value) -> Vec<String> {
    let mut found = if schema.is_null() { Vec::new() } else { vec![path.to_owned()] };
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        found.append(&mut paths(&format!("{path}.{name}"), field));
    }
    for part in ["items", "additionalProperties"] {
        for (name, field) in schema[part]["properties"].as_object().into_iter().flatten() {
            found.append(&mut paths(&format!("{path}.{name}"), field));
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let pages = files("docs/reference", "md");
    let anchors: BTreeMap<&str, BTreeSet<&str>> =
        pages.iter().map(|(name, page)| (name.as_str(), anchors(page))).collect();
    let mut links = 0;
    for (name, page) in &pages {
        // What is in code type is no link.
        let prose: String = page.split('`').step_by(2).collect();
        for link in prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { name } else { file };
            assert!(repository("docs/reference").join(file).exists(), "{name}: {link} leads to no file");
            assert!(anchor.is_empty() || anchors[file].contains(anchor), "{name}: {link} leads nowhere on the page");
            links += 1;
        }
    }
    assert!(links > 30, "{links} links");
}

/// What a page can be linked at: ids, and headings of one word.
fn anchors(page: &str) -> BTreeSet<&str> {
    let ids = page.split("<a id=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    ids.chain(page.lines().filter_map(|line| line.strip_prefix("## "))).collect()
}

/// An unescaped `|` would begin a cell of its own.
#[test]
fn every_row_has_as_many_cells_as_its_table() {
    for (name, page) in files("docs/reference", "md") {
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let mut columns = 0;
        for line in page.lines() {
            match (line.starts_with('|'), columns) {
                (false, _) => columns = 0,
                (true, 0) => columns = cells(line),
                (true, columns) => assert_eq!(cells(line), columns, "{name}: {line}"),
            }
        }
    }
}

#[test]
fn a_kind_without_an_example_is_named_with_what_to_do() {
    let error = reference::pages(&definitions().unwrap(), &reference::Examples::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "KomputerAgent has no example; write docs/reference/examples/komputeragent.yaml, small and as users would"
    );

    let mut examples = reference::Examples::default();
    examples.add_own("komputeragent.yaml", "kind: KomputerTask".into());
    let error = reference::pages(&definitions().unwrap(), &examples).unwrap_err().to_string();
    assert_eq!(error, "docs/reference/examples/komputeragent.yaml is not an object of KomputerAgent alone; correct it");
}

/// Editors show the schema that a file's first line names.
#[test]
fn examples_name_the_schema_of_their_kind() {
    for (name, yaml) in files("docs/reference/examples", "yaml") {
        let kind = name.strip_suffix(".yaml").unwrap();
        let schema = format!("../../schemas/komputer.komputer.ai/{kind}_v1beta1.json");
        let first = yaml.lines().next().unwrap();
        assert_eq!(first, format!("# yaml-language-server: $schema={schema}"), "docs/reference/examples/{name}");
        assert!(repository("docs/reference/examples").join(schema).exists(), "docs/reference/examples/{name}");
    }
}
