use serde_json::json;

use crate::system::{agent, system};

#[test]
fn what_is_missing_is_warned_of_and_admitted() {
    let system = system();
    system.kubectl(&["create", "namespace", "missing"], "");
    let skills = json!([{ "name": "review" }, { "name": "tests" }]);
    // Nobody asks whether the Secret is there.
    let spec = json!({ "templateRef": { "name": "large" }, "skills": skills, "secretRefs": [{ "name": "github" }] });
    let manifest = agent("missing", "a", spec);
    let apply = || {
        let ended = system.cluster.try_kubectl(&["apply", "-f", "-"], &manifest).unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stderr
    };
    let warnings = "\
        Warning: spec.templateRef: no template \"large\" here or in the cluster; it is waited for\n\
        Warning: spec.skills[0]: no KomputerSkill \"review\" in this namespace; it is waited for\n\
        Warning: spec.skills[1]: no KomputerSkill \"tests\" in this namespace; it is waited for\n";
    assert_eq!(apply(), warnings);

    for name in ["review", "tests"] {
        let skill = json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSkill",
            "metadata": { "name": name, "namespace": "missing" }, "spec": { "description": "d", "content": "c" },
        });
        system.kubectl(&["create", "-f", "-"], &skill.to_string());
    }
    let template = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate",
        "metadata": { "name": "large", "namespace": "missing" }, "spec": {},
    });
    system.kubectl(&["create", "-f", "-"], &template.to_string());
    crate::system::wait_for("the warnings to go", || {
        let ended = system.cluster.try_kubectl(&["apply", "--dry-run=server", "-f", "-"], &manifest).unwrap();
        ended.stderr.is_empty()
    });
}

#[test]
fn a_write_through_the_old_version_that_makes_a_manager_is_warned_of() {
    let system = system();
    system.kubectl(&["create", "namespace", "promoted"], "");
    system.kubectl(&["create", "-f", "-"], &agent("promoted", "a", json!({ "instructions": "i" })));
    let old = "komputeragents.v1alpha1.komputer.komputer.ai";
    let arguments = ["patch", "-n", "promoted", old, "a", "--type=merge", "-p", r#"{"spec":{"instructions":"j"}}"#];
    let ended = system.cluster.try_kubectl(&arguments, "").unwrap();
    assert!(ended.stderr.contains("Warning: spec.role: now manager"), "{}", ended.stderr);
}

#[test]
fn a_field_that_does_nothing_any_more_is_warned_of() {
    let system = system();
    system.kubectl(&["create", "namespace", "deprecated"], "");
    let old = json!({
        "apiVersion": "komputer.komputer.ai/v1alpha1", "kind": "KomputerAgent",
        "metadata": { "name": "a", "namespace": "deprecated" },
        "spec": { "instructions": "i", "templateRef": "t", "internalSystemPrompt": "You are" },
    });
    let ended = system.cluster.try_kubectl(&["apply", "-f", "-"], &old.to_string()).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let warning = "Warning: spec.internalSystemPrompt: has no effect any more; remove it, or move what is yours to systemPrompt\n";
    assert!(ended.stderr.contains(warning), "{}", ended.stderr);
}

#[test]
fn an_agent_from_before_a_rule_can_be_changed_elsewhere_and_deleted() {
    let system = system();
    let patch = |patch: &str| {
        let arguments = ["patch", "-n", "before", "komputeragent", "invalid", "--type=merge", "-p", patch];
        system.cluster.try_kubectl(&arguments, "").unwrap()
    };
    for elsewhere in [
        r#"{"metadata":{"labels":{"team":"blue"}}}"#,
        r#"{"spec":{"instructions":"more"}}"#,
        r#"{"metadata":{"finalizers":["example.com/f"]}}"#,
    ] {
        let ended = patch(elsewhere);
        assert_eq!(ended.code, Some(0), "{elsewhere}: {}", ended.stderr);
    }
    let worse = patch(r#"{"spec":{"podTemplate":{"spec":{"hostIPC":true}}}}"#);
    assert!(
        worse.stderr.contains("spec.podTemplate.spec.hostIPC") && !worse.stderr.contains("hostPID"),
        "{}",
        worse.stderr
    );

    system.kubectl(&["delete", "-n", "before", "komputeragent", "invalid", "--wait=false"], "");
    assert_eq!(patch(r#"{"metadata":{"finalizers":null}}"#).code, Some(0));
    let gone = ["get", "-n", "before", "komputeragent", "invalid", "--ignore-not-found"];
    assert_eq!(system.kubectl(&gone, ""), "");
}

#[test]
fn namespaces_that_komputer_needs_to_start_are_not_asked_for() {
    let system = system();
    let odd = json!({ "podTemplate": { "spec": { "hostPID": true } } });
    for namespace in ["kube-system", "komputer-system"] {
        system.kubectl(&["create", "--dry-run=server", "-f", "-"], &agent(namespace, "a", odd.clone()));
    }
}

#[test]
fn nobody_comes_above_itself_and_a_member_of_two_squads_is_told() {
    let system = system();
    system.kubectl(&["create", "namespace", "relations"], "");
    let managed = |name: &str, manager: &str| agent("relations", name, json!({ "managerRef": { "name": manager } }));
    system.kubectl(&["create", "-f", "-"], &managed("a", "b"));
    system.kubectl(&["create", "-f", "-"], &managed("b", "c"));
    crate::system::wait_for("the circle to be refused", || {
        let ended = system.cluster.try_kubectl(&["create", "--dry-run=server", "-f", "-"], &managed("c", "a")).unwrap();
        ended.stderr.contains("spec.managerRef: Forbidden: c → a → b → c is a circle; name another manager")
    });

    let squad = |name: &str| {
        let metadata = json!({ "name": name, "namespace": "relations" });
        let spec = json!({ "members": [{ "name": "a" }] });
        json!({ "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSquad", "metadata": metadata, "spec": spec })
            .to_string()
    };
    system.kubectl(&["create", "-f", "-"], &squad("first"));
    crate::system::wait_for("a warning of the member of two squads", || {
        let ended = system.cluster.try_kubectl(&["create", "--dry-run=server", "-f", "-"], &squad("second")).unwrap();
        ended.stderr == "Warning: spec.members[0]: a is in KomputerSquad first too; the older squad keeps it\n"
    });
}
