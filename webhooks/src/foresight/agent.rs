use serde_json::{Value, json};

use super::Change;

/// Fields that the pod is made from.
const OF_POD: [&str; 3] = ["templateRef", "secretRefs", "podTemplate"];
/// Fields that count from the next task on.
const OF_TASK: [&str; 4] = ["systemPrompt", "model", "skills", "memories"];

/// What an agent does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now {
    Works,
    HasPod,
    HasNone,
}

fn now(agent: &Value) -> Now {
    match agent.pointer("/status/phase").and_then(Value::as_str) {
        Some("Working") => Now::Works,
        Some("Starting" | "Idle") => Now::HasPod,
        _ => Now::HasNone,
    }
}

/// What comes of a change of an agent.
pub(super) fn foresight(change: Change<'_>) -> Vec<String> {
    if change.is_new() {
        return Vec::new();
    }
    let now = now(change.old);
    let suspends = change.new.pointer("/spec/suspend") == Some(&json!(true));
    let told = [
        change.of("/spec/suspend").and_then(|_| suspended(suspends, now, change.name)),
        change.of("/spec/instructions").and_then(|(_, new)| new).map(|_| instructions(now)),
        outdated(change, now).filter(|_| !suspends),
        next_task(change),
        change
            .of("/spec/storage/size")
            .map(|_| "spec.storage.size: the workspace grows where its class lets it; it cannot shrink".into()),
        change.of("/spec/lifecycle/afterTask").and_then(|(_, new)| (new == Some(&json!("Delete"))).then(deletes)),
    ];
    told.into_iter().flatten().collect()
}

fn suspended(suspends: bool, now: Now, name: &str) -> Option<String> {
    match (suspends, now) {
        (false, _) => Some("spec.suspend: the agent wakes where it has a task, or stays awake by its lifecycle".into()),
        (true, Now::Works) => Some(format!(
            "spec.suspend: pod {name} goes at once; the running task is interrupted and goes on afterwards"
        )),
        (true, Now::HasPod) => Some(format!("spec.suspend: pod {name} goes at once; the workspace stays")),
        (true, Now::HasNone) => None,
    }
}

fn instructions(now: Now) -> String {
    let when = if now == Now::Works { ", after the running one" } else { "" };
    format!("spec.instructions: a new task is made of them{when}; what ran before is not run again")
}

/// What becomes of the pod.
fn outdated(change: Change<'_>, now: Now) -> Option<String> {
    let changed: Vec<_> = OF_POD.into_iter().filter(|field| change.of(&format!("/spec/{field}")).is_some()).collect();
    let (first, name) = (changed.first()?, change.name);
    let what = match (now, change.text("/spec/rollout")) {
        (Now::HasNone, _) => "the next pod has it".into(),
        (_, Some("OnDelete")) => format!("pod {name} stays as it is until it is deleted, by spec.rollout"),
        (Now::Works, Some("Immediately")) => {
            format!("pod {name} is replaced at once; the running task is interrupted and goes on")
        }
        (Now::Works, Some(_)) => format!("pod {name} is replaced once the running task has ended"),
        (Now::Works, None) => {
            format!("pod {name} is replaced once the running task has ended, or as its template says")
        }
        (Now::HasPod, _) => format!("pod {name} is replaced at once"),
    };
    Some(format!("spec.{first}: {what}"))
}

fn next_task(change: Change<'_>) -> Option<String> {
    let changed: Vec<_> = OF_TASK.into_iter().filter(|field| change.of(&format!("/spec/{field}")).is_some()).collect();
    (!changed.is_empty()).then(|| format!("spec.{}: counts from the next task on", changed.join(", ")))
}

fn deletes() -> String {
    "spec.lifecycle.afterTask: pod and workspace are deleted once no task is left, by ttlAfterFinished".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(phase: &str, old: Value, new: Value) -> Vec<String> {
        let old = json!({ "spec": old, "status": { "phase": phase } });
        foresight(Change { namespace: "team", name: "ada", old: &old, new: &json!({ "spec": new }) })
    }

    #[test]
    fn what_becomes_of_the_pod_is_told() {
        let label = json!({ "podTemplate": { "labels": { "a": "b" } } });
        let with = |rollout: &str| json!({ "podTemplate": { "labels": { "a": "b" } }, "rollout": rollout });
        let pod = |what: &str| [format!("spec.podTemplate: {what}")];
        assert_eq!(told("Sleeping", json!({}), label.clone()), pod("the next pod has it"));
        assert_eq!(told("Idle", json!({}), label.clone()), pod("pod ada is replaced at once"));
        let waits = "pod ada is replaced once the running task has ended";
        assert_eq!(told("Working", json!({}), label), pod(&format!("{waits}, or as its template says")));
        assert_eq!(told("Working", json!({}), with("WhenIdle")), pod(waits));
        let cuts = "pod ada is replaced at once; the running task is interrupted and goes on";
        assert_eq!(told("Working", json!({}), with("Immediately")), pod(cuts));
        let stays = "pod ada stays as it is until it is deleted, by spec.rollout";
        assert_eq!(told("Idle", json!({}), with("OnDelete")), pod(stays));
    }

    #[test]
    fn each_change_is_told_of_and_nothing_else() {
        assert_eq!(told("Working", json!({ "model": "a" }), json!({ "model": "a", "priority": 3 })), [""; 0]);
        let new = json!({ "instructions": "i", "suspend": true, "model": "m", "skills": [{ "name": "s" }] });
        let expected = [
            "spec.suspend: pod ada goes at once; the running task is interrupted and goes on afterwards",
            "spec.instructions: a new task is made of them, after the running one; what ran before is not run again",
            "spec.model, skills: counts from the next task on",
        ];
        assert_eq!(told("Working", json!({}), new), expected);
        assert_eq!(told("Sleeping", json!({}), json!({ "suspend": true })), [""; 0]);
    }

    #[test]
    fn nothing_is_told_of_a_new_agent() {
        let new = json!({ "spec": { "instructions": "i" } });
        assert_eq!(foresight(Change { namespace: "team", name: "ada", old: &Value::Null, new: &new }), [""; 0]);
    }
}
