//! The policies of `kustomize/components/policies` look at v1beta1, whichever version is written.
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::system::{System, system, wait_for};

/// Has the policy in force in one namespace, because others use the system too.
fn install(system: &System, policy: &str, namespace: &str) {
    let documents = serde_yaml::Deserializer::from_str(policy).map(|document| Value::deserialize(document).unwrap());
    let mut items: Vec<_> = documents.collect();
    for binding in items.iter_mut().filter(|item| item["kind"] == "ValidatingAdmissionPolicyBinding") {
        let labels = json!({ "kubernetes.io/metadata.name": namespace });
        binding["spec"]["matchResources"] = json!({ "namespaceSelector": { "matchLabels": labels } });
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    system.kubectl(&["apply", "--server-side", "-f", "-"], &list.to_string());
}

#[test]
fn an_agent_of_the_old_version_is_refused_what_it_would_be_in_the_new_one() {
    let system = system();
    system.kubectl(&["create", "namespace", "policies"], "");
    install(&system, include_str!("../../../kustomize/components/policies/allowed-models/policy.yaml"), "policies");
    install(&system, include_str!("../../../kustomize/components/policies/allowed-images/policy.yaml"), "policies");
    let refused = |spec: Value| {
        let agent = json!({
            "apiVersion": "komputer.komputer.ai/v1alpha1", "kind": "KomputerAgent",
            "metadata": { "name": "a", "namespace": "policies" }, "spec": spec,
        });
        let ended = system.cluster.try_kubectl(&["create", "--dry-run=server", "-f", "-"], &agent.to_string()).unwrap();
        ended.stderr.split_once("denied request: ").map(|(_, words)| words.trim().to_owned())
    };
    let sidecar = json!({ "containers": [{ "name": "sidecar", "image": "a:1" }] });
    let another_model = || refused(json!({ "instructions": "i", "model": "gpt-5" }));
    let another_image = || refused(json!({ "instructions": "i", "podSpec": sidecar }));
    wait_for("the policies to be in force", || another_model().is_some() && another_image().is_some());
    let model = "spec.model: gpt-5 is not among the allowed models (claude-*); choose one of them, or have this policy allow it";
    assert_eq!(another_model().unwrap(), model);
    let image = "spec: image a:1 is not among the allowed images (none but the operator's own); use one of them, or have this policy allow it";
    assert_eq!(another_image().unwrap(), image);
    assert_eq!(refused(json!({ "instructions": "i" })), None);
}
