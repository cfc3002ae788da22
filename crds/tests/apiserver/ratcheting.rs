//! What was there before a rule of the whole object can be changed and deleted; what is made after it has to keep to it.
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use komputer_crds::convert::{Version, convert};
use komputer_tests::cluster::LightCluster;
use serde_json::{Value, json};

use crate::cluster::{cluster, definitions_of, list, object, quietly, reference_examples};

/// How long the apiserver may take to go by a changed definition.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn v8_names_from_before_the_rule_can_be_changed_and_deleted() {
    let long = "a".repeat(64);
    let kinds =
        old_objects_go_on("names", "must be at most", |object| object["metadata"]["name"] = long.clone().into());
    assert_eq!(kinds, 9, "kinds and versions with a rule about the name");
}

#[test]
fn v8_agents_that_manage_themselves_from_before_the_rule_can_be_changed_and_deleted() {
    let kinds = old_objects_go_on("managers", "none manages itself", |object| match object["kind"].as_str() {
        Some("KomputerAgent") if object["apiVersion"] == Version::V1alpha1.api_version() => {
            object["spec"]["officeManager"] = object["metadata"]["name"].clone();
        }
        Some("KomputerAgent") => object["spec"]["managerRef"] = json!({ "name": object["metadata"]["name"] }),
        _ => {}
    });
    assert_eq!(kinds, 2, "versions of an agent");
}

/// For every kind and version with a rule of the whole object that says `why`: an object that `break_it` has made break it
/// goes on where it was there before, and is refused where it is new. Answers how many there are.
fn old_objects_go_on(about: &str, why: &str, break_it: impl Fn(&mut Value)) -> usize {
    let (cluster, mut tried) = (cluster(), 0);
    quietly(&cluster, &["create", "namespace", about], "");
    for version in [Version::V1alpha1, Version::V1beta1] {
        let (_, name) = version.api_version().split_once('/').unwrap();
        let group = format!("{name}.{about}.example.com");
        for definition in definitions_of(&group).iter().filter_map(|definition| with_rule(definition, name, why)) {
            let old = OldObject::before(&cluster, about, &definition, example(&definition, version, &break_it));
            old.is_refused_where_it_is_new(why);
            old.goes_on();
            tried += 1;
        }
    }
    tried
}

/// The definition with that version alone, where it has a rule of the whole object that says `why`.
fn with_rule(definition: &Value, version: &str, why: &str) -> Option<Value> {
    let mut versions = definition["spec"]["versions"].as_array()?.iter();
    let mut version = versions.find(|found| found["name"] == version)?.clone();
    let rules = version.pointer("/schema/openAPIV3Schema/x-kubernetes-validations")?.as_array()?;
    rules.iter().find(|rule| rule["message"].as_str().unwrap().contains(why))?;
    version["storage"] = true.into();
    version.as_object_mut()?.remove("deprecated");
    version.as_object_mut()?.remove("deprecationWarning");
    let mut definition = definition.clone();
    definition["spec"]["versions"] = json!([version]);
    Some(definition)
}

/// The reference's example of the kind, in that version, broken.
fn example(definition: &Value, version: Version, break_it: &impl Fn(&mut Value)) -> Value {
    let plural = definition["spec"]["names"]["plural"].as_str().unwrap();
    let (_, yaml) = reference_examples().into_iter().find(|(kind, _)| kind == plural).unwrap();
    let example = object(&yaml);
    let mut example = if version == Version::V1beta1 { example } else { convert(example, version).unwrap() };
    break_it(&mut example);
    let (_, version) = version.api_version().split_once('/').unwrap();
    example["apiVersion"] = format!("{}/{version}", definition["spec"]["group"].as_str().unwrap()).into();
    example["metadata"]["finalizers"] = json!(["example.com/kept"]);
    example
}

/// An object that is there although its definition has a rule that it breaks.
struct OldObject<'a> {
    cluster: &'a LightCluster,
    namespace: &'a str,
    resource: String,
    object: Value,
}

impl<'a> OldObject<'a> {
    /// Makes it while the definition has no rules of the whole object.
    fn before(cluster: &'a LightCluster, namespace: &'a str, definition: &Value, object: Value) -> Self {
        let mut lenient = definition.clone();
        let schema = &mut lenient["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        schema.as_object_mut().unwrap().remove("x-kubernetes-validations");
        quietly(cluster, &["apply", "--server-side", "-f", "-"], &lenient.to_string());
        let resource = definition["metadata"]["name"].as_str().unwrap().to_owned();
        quietly(cluster, &["wait", "--for=condition=Established", "crd", &resource, "--timeout=60s"], "");
        quietly(cluster, &["create", "-n", namespace, "-f", "-"], &object.to_string());
        quietly(cluster, &["apply", "--server-side", "-f", "-"], &list(std::slice::from_ref(definition)));
        Self { cluster, namespace, resource, object }
    }

    /// Another that breaks the rule in the same way is refused, as soon as the apiserver goes by the rule.
    fn is_refused_where_it_is_new(&self, why: &str) {
        let begun = Instant::now();
        let mut new = self.object.clone();
        new["metadata"]["name"] = format!("{}b", self.name()).into();
        // Whoever manages itself has to do so by its new name.
        let text = new.to_string().replace(&format!("\"{}\"", self.name()), &new["metadata"]["name"].to_string());
        loop {
            let arguments = ["create", "--dry-run=server", "-n", self.namespace, "-f", "-"];
            let ended = self.cluster.try_kubectl(&arguments, &text).unwrap();
            if ended.code != Some(0) {
                assert!(ended.stderr.contains(why), "{}: {}", self.resource, ended.stderr);
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{} is taken: {text}", self.resource);
            sleep(Duration::from_millis(200));
        }
    }

    fn goes_on(&self) {
        self.change(&["label"], &["changed=yes"]);
        let patch = |patch: &str| self.change(&["patch", "--type=merge"], &["-p", patch]);

        self.change(
            &["patch", "--type=merge", "--subresource=status"],
            &["-p", r#"{"status":{"observedGeneration":1}}"#],
        );
        self.change(&["delete", "--wait=false"], &[]);
        patch(r#"{"metadata":{"finalizers":null}}"#);
        let left = quietly(self.cluster, &["get", "-n", self.namespace, &self.resource, "-o", "name"], "");
        assert_eq!(left, "", "{} cannot be deleted", self.resource);
    }

    #[track_caller]
    fn change(&self, verb: &[&str], how: &[&str]) {
        let object = ["-n", self.namespace, &self.resource, self.name()];
        quietly(self.cluster, &[verb, &object, how].concat(), "");
    }

    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }
}
