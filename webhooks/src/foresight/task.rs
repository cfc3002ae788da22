use serde_json::{Value, json};

use super::Change;

/// What comes of a new task, or of one that is cancelled.
pub(super) fn foresight(change: Change<'_>) -> Vec<String> {
    let agent = change.text("/spec/agentRef/name").unwrap_or_default();
    let replaces = change.is_new() && change.text("/spec/mode") == Some("Replace");
    let cancels = !change.is_new() && change.of("/spec/cancel").is_some_and(|(_, new)| new == Some(&json!(true)));
    let cancelled = || match change.old.pointer("/status/phase").and_then(Value::as_str) {
        Some("Running") => Some("spec.cancel: the running task is stopped; what it has cost stays counted"),
        Some("Succeeded" | "Failed" | "Cancelled") => Some("spec.cancel: the task has ended already; nothing changes"),
        _ => Some("spec.cancel: the task is never begun"),
    };
    let replaced = format!("spec.mode: the tasks of {agent} before it that have not ended are cancelled");
    replaces.then_some(replaced).into_iter().chain(cancels.then(cancelled).flatten().map(Into::into)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: Value, new: Value) -> Vec<String> {
        foresight(Change { namespace: "team", name: "t", old: &old, new: &json!({ "spec": new }) })
    }

    #[test]
    fn what_ends_is_told() {
        let replaces = json!({ "agentRef": { "name": "ada" }, "mode": "Replace" });
        let expected = "spec.mode: the tasks of ada before it that have not ended are cancelled";
        assert_eq!(told(Value::Null, replaces.clone()), [expected]);
        assert_eq!(told(json!({ "spec": replaces }), replaces.clone()), [""; 0]);
        let running = json!({ "spec": {}, "status": { "phase": "Running" } });
        let stopped = "spec.cancel: the running task is stopped; what it has cost stays counted";
        assert_eq!(told(running, json!({ "cancel": true })), [stopped]);
        assert_eq!(told(json!({ "spec": {} }), json!({ "cancel": true })), ["spec.cancel: the task is never begun"]);
    }
}
