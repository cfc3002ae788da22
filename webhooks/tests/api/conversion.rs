use serde_json::{Value, json};

use crate::system::{agent, system};

const OLD: &str = "komputeragents.v1alpha1.komputer.komputer.ai";
const NEW: &str = "komputeragents.v1beta1.komputer.komputer.ai";

const HELLO_WORLD: &str = "
apiVersion: komputer.komputer.ai/v1alpha1
kind: KomputerAgent
metadata:
  name: hello-world
spec:
  instructions: Say hello to the world.
  model: claude-sonnet-4-6
";

#[test]
fn hello_world_reads_back_as_it_was_applied() {
    let system = system();
    for (namespace, how) in [("client", "--server-side=false"), ("server", "--server-side=true")] {
        system.kubectl(&["create", "namespace", namespace], "");
        let kubectl = |arguments: &[&str]| {
            let all: Vec<_> = arguments.iter().copied().chain(["-n", namespace, how, "-f", "-"]).collect();
            system.cluster.try_kubectl(&all, HELLO_WORLD).unwrap()
        };
        assert_eq!(kubectl(&["apply"]).code, Some(0));
        let diff = kubectl(&["diff"]);
        assert_eq!((diff.code, diff.stdout.as_str()), (Some(0), ""), "{how}");
        // The first write after the creation stores the status that the schema gives, which readers see before.
        assert_eq!(kubectl(&["apply"]).code, Some(0));
        let before = system.get(namespace, OLD, "hello-world");
        assert_eq!(kubectl(&["apply"]).code, Some(0));
        assert_eq!(system.get(namespace, OLD, "hello-world"), before, "applying again changes nothing");

        let applied = json!({ "instructions": "Say hello to the world.", "model": "claude-sonnet-4-6" });
        let mut spec = before["spec"].clone();
        for default in ["role", "templateRef", "priority"] {
            spec.as_object_mut().unwrap().remove(default);
        }
        assert_eq!(spec, applied);
        let annotations = before["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        assert!(
            annotations.keys().all(|key| key == "kubectl.kubernetes.io/last-applied-configuration"),
            "{annotations:?}"
        );
        assert_eq!(before["status"]["observedGeneration"], -1);
        assert_eq!(system.get(namespace, NEW, "hello-world")["spec"]["role"], "Manager");
    }
}

#[test]
fn clients_of_the_old_version_are_told_of_the_new_one() {
    let system = system();
    let ended = system.cluster.try_kubectl(&["get", OLD], "").unwrap();
    assert!(
        ended.stderr.contains("Warning: komputer.komputer.ai/v1alpha1 KomputerAgent is deprecated"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("v1beta1"), "{}", ended.stderr);
}

#[test]
fn an_edit_through_the_old_version_takes_nothing_away() {
    let system = system();
    system.kubectl(&["create", "namespace", "edit"], "");
    let spec = json!({
        "instructions": "i", "role": "Worker", "suspend": true, "lifecycle": { "afterTask": "Sleep" },
        "skills": [{ "name": "style", "namespace": "shared" }], "model": "m",
    });
    system.kubectl(&["apply", "-f", "-"], &agent("edit", "a", spec.clone()));
    let status = json!({
        "observedGeneration": 1, "phase": "Suspended", "cursor": "5-1", "totalCostUSD": "0.5",
        "tasks": { "succeeded": 1, "failed": 0, "cancelled": 0 },
        "lastTask": { "uid": "u", "phase": "Succeeded", "costUSD": "0.5" },
    });
    let patch = json!({ "status": status }).to_string();
    system.kubectl(&["patch", "-n", "edit", NEW, "a", "--subresource=status", "--type=merge", "-p", &patch], "");

    let old = system.get("edit", OLD, "a");
    assert_eq!((&old["status"]["phase"], &old["status"]["taskStatus"]), (&"Sleeping".into(), &"Complete".into()));
    assert_eq!((&old["spec"]["lifecycle"], &old["spec"]["skills"]), (&"Sleep".into(), &json!(["shared/style"])));

    system.kubectl(&["patch", "-n", "edit", OLD, "a", "--type=merge", "-p", r#"{"spec":{"instructions":"more"}}"#], "");
    let new = system.get("edit", NEW, "a");
    assert_eq!(new["status"], status);
    let mut expected = spec;
    // v1alpha1's defaults, which are part of writing through it.
    for (name, value) in
        [("instructions", json!("more")), ("priority", json!(0)), ("templateRef", json!({ "name": "default" }))]
    {
        expected[name] = value;
    }
    assert_eq!(new["spec"], expected);
    let annotations = new["metadata"]["annotations"].as_object().unwrap();
    assert!(annotations.keys().all(|key| !key.contains("komputer.ai")), "{annotations:?}");
}

#[test]
fn managers_of_both_versions_share_an_agent() {
    let system = system();
    system.kubectl(&["create", "namespace", "shared"], "");
    let apply = |manager: &str, version: &str, spec: Value| {
        let object = json!({
            "apiVersion": format!("komputer.komputer.ai/{version}"), "kind": "KomputerAgent",
            "metadata": { "name": "a", "namespace": "shared" }, "spec": spec,
        });
        let manager = format!("--field-manager={manager}");
        let arguments = ["apply", "--server-side", &manager, "-f", "-"];
        system.kubectl(&arguments, &object.to_string());
    };
    apply(
        "old",
        "v1alpha1",
        json!({
            "instructions": "i", "systemPrompt": "s", "role": "worker", "secrets": ["a", "b"],
            "officeManager": "m", "internalSystemPrompt": "p",
        }),
    );
    apply("new", "v1beta1", json!({ "suspend": true, "lifecycle": { "afterTask": "Sleep" } }));
    let new = system.get("shared", NEW, "a");
    assert_eq!(new["spec"]["suspend"], true);
    assert_eq!(new["spec"]["secretRefs"], json!([{ "name": "a" }, { "name": "b" }]));
    assert_eq!(system.get("shared", OLD, "a")["spec"]["officeManager"], "m");

    // What one stops applying goes, and what the other applies stays.
    apply("old", "v1alpha1", json!({ "instructions": "i", "secrets": ["a"], "internalSystemPrompt": "p" }));
    apply("new", "v1beta1", json!({ "suspend": true }));
    let new = system.get("shared", NEW, "a");
    let expected = json!({
        "instructions": "i", "secretRefs": [{ "name": "a" }], "suspend": true,
        "role": "Manager", "priority": 0, "templateRef": { "name": "default" }, "model": "claude-sonnet-4-6",
    });
    assert_eq!(new["spec"], expected);
    let old = system.get("shared", OLD, "a");
    assert_eq!((old["spec"].get("officeManager"), &old["spec"]["internalSystemPrompt"]), (None, &"p".into()));
}

#[test]
fn lists_are_converted_whole() {
    let system = system();
    system.kubectl(&["create", "namespace", "list"], "");
    let items: Vec<Value> = (0..30)
        .map(|index| {
            serde_json::from_str(&agent("list", &format!("a{index}"), json!({ "instructions": "i", "suspend": true })))
                .unwrap()
        })
        .collect();
    system.kubectl(&["create", "-f", "-"], &json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string());
    let list: Value = serde_json::from_str(&system.kubectl(&["get", "-n", "list", OLD, "-o", "json"], "")).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 30);
    let annotations = json!({ "v1beta1.komputer.komputer.ai/spec.suspend": r#"{"is":true}"# });
    assert_eq!(list["items"][7]["metadata"]["annotations"], annotations);
}
