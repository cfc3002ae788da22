use serde_json::{Value, json};

use super::Change;

/// What comes of a new task, or of one that is cancelled.
pub(super) fn foresight(change: Change<'_>) -> Vec<String> {
    let agent = change.text("/spec/agentRef/name").unwrap_or_default();
    let cancels = !change.is_new() && change.of("/spec/cancel").is_some_and(|(_, new)| new == Some(&json!(true)));
    let cancelled = || match change.old.pointer("/status/phase").and_then(Value::as_str) {
        Some("Running") => Some("spec.cancel: the running task is stopped; what it has cost stays counted"),
        Some("Succeeded" | "Failed" | "Cancelled") => Some("spec.cancel: the task has ended already; nothing changes"),
        _ => Some("spec.cancel: the task is never begun"),
    };
    let mode = match change.text("/spec/mode").filter(|_| change.is_new()) {
        Some("Replace") => Some(format!("spec.mode: the tasks of {agent} before it that have not ended are cancelled")),
        Some("Steer") => Some(format!(
            "spec.mode: {agent} reads the instructions in the middle of the task it works on; where it works on none, they \
             are a task of their own"
        )),
        _ => None,
    };
    let compacts = change.is_new() && change.new.pointer("/spec/compact") == Some(&json!(true));
    let compacted = format!(
        "spec.compact: the conversation of {agent} is summarised once the tasks before it have ended; the agent forgets what \
         the summary leaves out"
    );
    let cancelled = cancels.then(cancelled).flatten().map(Into::into);
    mode.into_iter().chain(compacts.then_some(compacted)).chain(cancelled).collect()
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
        let steers = json!({ "agentRef": { "name": "ada" }, "mode": "Steer" });
        let expected = "spec.mode: ada reads the instructions in the middle of the task it works on; where it works on none, \
                        they are a task of their own";
        assert_eq!(told(Value::Null, steers), [expected]);
        let compacts = json!({ "agentRef": { "name": "ada" }, "compact": true });
        let expected = "spec.compact: the conversation of ada is summarised once the tasks before it have ended; the agent \
                        forgets what the summary leaves out";
        assert_eq!(told(Value::Null, compacts), [expected]);
        let running = json!({ "spec": {}, "status": { "phase": "Running" } });
        let stopped = "spec.cancel: the running task is stopped; what it has cost stays counted";
        assert_eq!(told(running, json!({ "cancel": true })), [stopped]);
        assert_eq!(told(json!({ "spec": {} }), json!({ "cancel": true })), ["spec.cancel: the task is never begun"]);
    }
}
