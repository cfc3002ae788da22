use serde_json::Value;

use crate::system::{system, system_alone, wait_for};

const DEFINITION: [&str; 2] = ["crd", "komputeragents.komputer.komputer.ai"];
const CONFIGURATION: [&str; 2] = ["validatingwebhookconfiguration", "komputer-webhooks"];

fn has_bundle(client: &Value) -> bool {
    client["caBundle"].as_str().is_some_and(|bundle| !bundle.is_empty())
}

#[test]
fn what_installs_the_webhooks_and_what_they_apply_do_not_fight() {
    let system = system();
    for manifest in [system.definitions(), system.configuration()] {
        let diff = system.cluster.try_kubectl(&["diff", "--server-side", "-f", "-"], &manifest).unwrap();
        assert_eq!((diff.code, diff.stdout.as_str()), (Some(0), ""));
        system.kubectl(&["apply", "--server-side", "-f", "-"], &manifest);
    }
    let owned = system.kubectl(&["get", "crd", DEFINITION[1], "--show-managed-fields", "-o", "json"], "");
    let definition: Value = serde_json::from_str(&owned).unwrap();
    assert!(has_bundle(&definition["spec"]["conversion"]["webhook"]["clientConfig"]));
    let managers = definition["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers.iter().find(|entry| entry["manager"] == "komputer-webhooks").unwrap();
    let only = r#"{"f:spec":{"f:conversion":{"f:webhook":{"f:clientConfig":{"f:caBundle":{}}}}}}"#;
    assert_eq!(ours["fieldsV1"].to_string(), only);
}

#[test]
fn a_replaced_bundle_is_back_before_anybody_looks() {
    let system = system_alone();
    system.kubectl(&["replace", "-f", "-"], &system.definitions());
    system.kubectl(&["replace", "-f", "-"], &system.configuration());
    wait_for("the caBundles", || {
        let definition = system.get("default", DEFINITION[0], DEFINITION[1]);
        let configuration = system.get("default", CONFIGURATION[0], CONFIGURATION[1]);
        has_bundle(&definition["spec"]["conversion"]["webhook"]["clientConfig"])
            && configuration["webhooks"].as_array().unwrap().iter().all(|webhook| has_bundle(&webhook["clientConfig"]))
    });
    system.kubectl(&["get", "komputeragents.v1alpha1.komputer.komputer.ai", "-A"], "");
}
