//! Definitions and webhook configuration installed, and no webhook up: an upgrade, a node that reboots, an uninstall.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use komputer_tests::cluster::LightCluster;

const AGENT: &str = "
apiVersion: komputer.komputer.ai/v1beta1
kind: KomputerAgent
metadata:
  name: a
  finalizers: [example.com/external]
spec:
  instructions: Say hello.
";

#[test]
fn webhooks_that_are_not_there_wedge_nothing() {
    let cluster = LightCluster::start("absent").expect("a cluster");
    let kubectl = |arguments: &[&str], input: &str| cluster.try_kubectl(arguments, input).unwrap();
    let succeeds = |arguments: &[&str], input: &str| {
        let ended = kubectl(arguments, input);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        ended.stdout
    };
    let base = |part: &str| format!("{}/../kustomize/base/{part}", env!("CARGO_MANIFEST_DIR"));

    // As users install them, both ways that kubectl knows, and without a warning.
    succeeds(&["apply", "-k", &base("crds")], "");
    succeeds(&["apply", "--server-side", "--force-conflicts", "-k", &base("crds")], "");
    succeeds(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");

    // The stored version is read and written without conversion.
    succeeds(&["apply", "-f", "-"], AGENT);
    assert!(
        succeeds(&["get", "komputeragents", "-A", "-o", "name"], "").contains("komputeragent.komputer.komputer.ai/a")
    );
    let old = kubectl(&["get", "komputeragents.v1alpha1.komputer.komputer.ai", "a"], "");
    assert!(old.stderr.contains("conversion webhook"), "{}", old.stderr);

    succeeds(&["apply", "-f", &base("webhooks/validating-webhook-configuration.yaml")], "");
    let refused = kubectl(&["apply", "-f", "-"], &AGENT.replace("name: a", "name: b"));
    assert!(refused.stderr.contains("failed calling webhook"), "{}", refused.stderr);

    // Status is written, and what is being deleted goes.
    let status = r#"{"status":{"observedGeneration":1}}"#;
    succeeds(&["patch", "komputeragent", "a", "--subresource=status", "--type=merge", "-p", status], "");
    succeeds(&["delete", "komputeragent", "a", "--wait=false"], "");
    succeeds(&["patch", "komputeragent", "a", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#], "");
    assert_eq!(succeeds(&["get", "komputeragents", "-A", "-o", "name"], ""), "");
}
