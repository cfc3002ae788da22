use serde_json::{Value, json};

use crate::system::{agent, system, wait_for};

#[test]
fn a_dry_run_says_what_would_come_of_it_and_a_write_does_not() {
    let system = system();
    let namespace = "foresight";
    system.kubectl(&["create", "namespace", namespace], "");
    let template = |image: &str| {
        let metadata = json!({ "name": "large", "namespace": namespace });
        json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate", "metadata": metadata,
            "spec": { "image": image },
        })
        .to_string()
    };
    let ada = |spec: Value| agent(namespace, "ada", spec);
    system.kubectl(&["apply", "-f", "-"], &template("agent:1"));
    system.kubectl(&["apply", "-f", "-"], &ada(json!({ "templateRef": { "name": "large" } })));
    let working = r#"{"status":{"phase":"Working"}}"#;
    let arguments = ["patch", "komputeragent", "ada", "-n", namespace, "--subresource=status", "--type=merge", "-p"];
    system.kubectl(&[&arguments[..], &[working]].concat(), "");

    let told = |arguments: &[&str], manifest: &str| {
        let ended = system.cluster.try_kubectl(arguments, manifest).unwrap();
        ended.stderr
    };
    let dry_run = ["apply", "--dry-run=server", "-f", "-"];
    let changed =
        ada(json!({ "templateRef": { "name": "large" }, "instructions": "i", "secretRefs": [{ "name": "s" }] }));
    let warnings = "\
        Warning: spec.instructions: a new task is made of them, after the running one; what ran before is not run again\n\
        Warning: spec.secretRefs: pod ada is replaced once the running task has ended, or as its template says\n";
    assert_eq!(told(&dry_run, &changed), warnings);
    assert_eq!(told(&["diff", "-f", "-"], &changed), warnings);

    let pods = "Warning: spec.image: pods replaced: 0 now, 1 after their task, 0 when deleted; of those that \
                work at most 10% at a time\n";
    wait_for("the agent to be known to work", || told(&dry_run, &template("agent:2")) == pods);
    assert_eq!(told(&["apply", "-f", "-"], &template("agent:2")), "");
    assert_eq!(told(&["apply", "-f", "-"], &changed), "");

    let schedule = |at: &str| {
        let metadata = json!({ "name": "once", "namespace": namespace });
        let spec = json!({ "at": at, "agentRef": { "name": "ada" }, "task": { "instructions": "i" } });
        let kind = ("komputer.komputer.ai/v1beta1", "KomputerSchedule");
        json!({ "apiVersion": kind.0, "kind": kind.1, "metadata": metadata, "spec": spec }).to_string()
    };
    assert_eq!(told(&dry_run, &schedule("2126-04-01T00:00:00Z")), "", "nothing is told of what is new");
    system.kubectl(&["apply", "-f", "-"], &schedule("2126-04-01T00:00:00Z"));
    let run = "Warning: spec.at: the next run is at 2126-05-01T00:00:00Z\n";
    assert_eq!(told(&dry_run, &schedule("2126-05-01T00:00:00Z")), run);

    let squad = |members: Value| {
        let metadata = json!({ "name": "crew", "namespace": namespace });
        json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSquad", "metadata": metadata,
            "spec": { "members": members },
        })
        .to_string()
    };
    system.kubectl(&["apply", "-f", "-"], &squad(json!([{ "name": "ada" }])));
    let running = r#"{"status":{"phase":"Running"}}"#;
    let arguments = ["patch", "komputersquad", "crew", "-n", namespace, "--subresource=status", "--type=merge", "-p"];
    system.kubectl(&[&arguments[..], &[running]].concat(), "");
    let replaced = "\
        Warning: spec.members[1]: no KomputerAgent \"bob\" in this namespace; it is waited for\n\
        Warning: spec.members: new: bob; the shared pod is replaced for it once nobody in it works\n";
    assert_eq!(told(&dry_run, &squad(json!([{ "name": "ada" }, { "name": "bob" }]))), replaced);
}
