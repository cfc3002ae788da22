//! GitOps tools read the version they applied, and may not take an agent for done that nobody has seen.
use serde_json::json;

use crate::system::system;

#[test]
fn an_agent_that_was_just_created_through_the_old_version_is_not_seen_yet() {
    let system = system();
    system.kubectl(&["create", "namespace", "unseen"], "");
    let agent = json!({
        "apiVersion": "komputer.komputer.ai/v1alpha1", "kind": "KomputerAgent",
        "metadata": { "name": "a", "namespace": "unseen" }, "spec": { "instructions": "i" },
    });
    system.kubectl(&["apply", "-f", "-"], &agent.to_string());
    for resource in ["komputeragents.v1alpha1.komputer.komputer.ai", "komputeragents.v1beta1.komputer.komputer.ai"] {
        assert_eq!(system.get("unseen", resource, "a")["status"]["observedGeneration"], -1, "{resource}");
    }
}
