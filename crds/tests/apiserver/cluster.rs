//! A light cluster with the definitions installed, and the manifests that people read.
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use komputer_crds::GROUP;
use komputer_tests::cluster::LightCluster;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The cluster that the tests of this process share; it ends with the last of them.
pub fn cluster() -> Arc<LightCluster> {
    static SHARED: Mutex<Weak<LightCluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(LightCluster::start("crds").expect("a cluster"));
        // As users install them, either way.
        quietly(&cluster, &["apply", "-k", &installed()], "");
        quietly(&cluster, &["apply", "--server-side", "--force-conflicts", "-k", &installed()], "");
        quietly(&cluster, &["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

/// A turn at the examples: those of the cluster's own scope are the same in every test.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What kubectl prints; the test ends where it fails or complains.
#[track_caller]
pub fn quietly(cluster: &LightCluster, arguments: &[&str], input: &str) -> String {
    let ended = cluster.try_kubectl(arguments, input).unwrap();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "kubectl {}", arguments.join(" "));
    ended.stdout
}

/// What users install.
pub fn installed() -> String {
    repository("kustomize/base/crds").display().to_string()
}

/// The definitions under another group, where they live beside the real ones and nothing converts their objects.
pub fn definitions_of(group: &str) -> Vec<Value> {
    let definitions = komputer_crds::definitions().unwrap().into_iter();
    let of_group = definitions.map(|definition| {
        let mut definition = serde_json::to_value(definition).unwrap();
        let plural = definition["spec"]["names"]["plural"].as_str().unwrap();
        definition["metadata"] = json!({ "name": format!("{plural}.{group}") });
        let spec = definition["spec"].as_object_mut().unwrap();
        spec.remove("conversion");
        spec.insert("group".into(), group.into());
        let names = spec["names"].as_object_mut().unwrap();
        names.remove("shortNames");
        names.remove("categories");
        definition
    });
    of_group.collect()
}

/// Several objects as one manifest.
pub fn list(objects: &[Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Our objects in a directory of the repository and below, each with its file, in order.
pub fn manifests(directory: &str) -> Vec<(PathBuf, Value)> {
    let mut entries: Vec<_> = fs::read_dir(repository(directory)).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::path);
    let mut found = Vec::new();
    for path in entries.iter().map(fs::DirEntry::path) {
        let below = format!("{directory}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            found.append(&mut manifests(&below));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let yaml = fs::read_to_string(&path).unwrap();
            let documents =
                serde_yaml::Deserializer::from_str(&yaml).map(|document| Value::deserialize(document).unwrap());
            let ours = documents.filter(|object| object["apiVersion"].as_str().unwrap_or_default().starts_with(GROUP));
            found.extend(ours.map(|object| (path.clone(), object)));
        }
    }
    found
}

/// The examples that the reference shows, by plural of their kind.
pub fn reference_examples() -> Vec<(String, String)> {
    let definitions = komputer_crds::definitions().unwrap();
    let example = |kind: &str| repository(&format!("docs/reference/examples/{}.yaml", kind.to_lowercase()));
    let read = |kind: &str| fs::read_to_string(example(kind)).unwrap_or_else(|error| panic!("{kind}: {error}"));
    definitions.iter().map(|d| (d.spec.names.plural.clone(), read(&d.spec.names.kind))).collect()
}

/// One object of a manifest.
pub fn object(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap()
}
