//! The way out where webhooks refuse what they should not: their configuration is deleted, and stays so.
use serde_json::json;

use crate::system::{agent, system_alone, wait_for};

#[test]
fn a_deleted_configuration_stays_away_until_it_is_installed_again() {
    let system = system_alone();
    system.kubectl(&["create", "namespace", "emergency"], "");
    let privileged = agent("emergency", "a", json!({ "podTemplate": { "spec": { "hostPID": true } } }));
    let create = || system.cluster.try_kubectl(&["create", "--dry-run=server", "-f", "-"], &privileged).unwrap();
    assert!(create().stderr.contains("spec.podTemplate.spec.hostPID"));

    system.kubectl(&["delete", "validatingwebhookconfiguration", "komputer-webhooks"], "");
    wait_for("the apiserver to ask nobody", || create().code == Some(0));
    // The program has looked at everything once more when it has brought back the caBundle that this takes away.
    system.kubectl(&["replace", "-f", "-"], &system.definitions());
    wait_for("the caBundle", || {
        let definition = system.get("default", "crd", "komputeragents.komputer.komputer.ai");
        definition.pointer("/spec/conversion/webhook/clientConfig/caBundle").is_some()
    });
    let left = system.kubectl(&["get", "validatingwebhookconfigurations", "-o", "name"], "");
    assert_eq!(left, "");

    system.install_configuration();
    wait_for("the apiserver to ask again", || create().stderr.contains("spec.podTemplate.spec.hostPID"));
}
