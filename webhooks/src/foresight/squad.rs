use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Change;

/// What comes of a change of a squad.
pub(super) fn foresight(change: Change<'_>) -> Vec<String> {
    if change.is_new() {
        return Vec::new();
    }
    [pod(change), dismissed(change)].into_iter().flatten().collect()
}

/// The members by their names.
fn members(squad: &Value) -> BTreeMap<&str, &Value> {
    let members = squad.pointer("/spec/members").and_then(Value::as_array).into_iter().flatten();
    members.filter_map(|member| Some((member["name"].as_str()?, member))).collect()
}

/// What becomes of the pod that they share.
fn pod(change: Change<'_>) -> Option<String> {
    let phase = change.old.pointer("/status/phase").and_then(Value::as_str);
    if !matches!(phase, Some("Running" | "Replacing")) {
        return None;
    }
    if change.of("/spec/breakUp").is_some() && change.new.pointer("/spec/breakUp") == Some(&json!(true)) {
        return Some("spec.breakUp: the shared pod goes once nobody in it works; its agents go on alone".into());
    }
    let (old, new) = (members(change.old), members(change.new));
    let names = |all: &BTreeMap<&str, &Value>, others: &BTreeMap<&str, &Value>| {
        all.keys().filter(|name| !others.contains_key(*name)).copied().collect::<Vec<_>>().join(", ")
    };
    let told = [("new", names(&new, &old)), ("removed", names(&old, &new))];
    let told: Vec<_> =
        told.iter().filter(|(_, names)| !names.is_empty()).map(|(are, names)| format!("{are}: {names}")).collect();
    let has_other =
        |(name, member): (&&str, &&Value)| new.get(*name).is_some_and(|other| other["access"] != member["access"]);
    let what = match told.join(", ") {
        told if !told.is_empty() => told,
        _ if old.iter().any(has_other) => "access changes".into(),
        _ => return None,
    };
    Some(format!("spec.members: {what}; the shared pod is replaced for it once nobody in it works"))
}

/// Who was made by the squad goes with its place in it.
fn dismissed(change: Change<'_>) -> Option<String> {
    let new = members(change.new);
    let made = |(name, member): &(&str, &Value)| member.get("template").is_some() && !new.contains_key(name);
    let names: Vec<_> = members(change.old).into_iter().filter(made).map(|(name, _)| name).collect();
    let names = names.join(", ");
    (!names.is_empty()).then(|| format!("spec.members: made by the squad, and deleted with their workspaces: {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(phase: &str, old: Value, new: Value) -> Vec<String> {
        let old = json!({ "spec": old, "status": { "phase": phase } });
        foresight(Change { namespace: "team", name: "q", old: &old, new: &json!({ "spec": new }) })
    }

    #[test]
    fn what_becomes_of_the_pod_and_of_who_was_made_is_told() {
        let squad =
            |names: &[&str]| json!({ "members": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() });
        let replaced =
            |what: &str| format!("spec.members: {what}; the shared pod is replaced for it once nobody in it works");
        assert_eq!(
            told("Running", squad(&["ada", "bob"]), squad(&["bob", "cyd"])),
            [replaced("new: cyd, removed: ada")]
        );
        assert_eq!(told("Sleeping", squad(&["ada"]), squad(&["ada", "bob"])), [""; 0], "there is no pod");
        assert_eq!(told("Running", squad(&["ada"]), squad(&["ada"])), [""; 0]);
        let reads = json!({ "members": [{ "name": "ada", "access": "ReadOnly" }] });
        assert_eq!(told("Running", squad(&["ada"]), reads), [replaced("access changes")]);
        let ends = json!({ "members": [{ "name": "ada" }], "breakUp": true });
        let goes = "spec.breakUp: the shared pod goes once nobody in it works; its agents go on alone";
        assert_eq!(told("Running", squad(&["ada"]), ends), [goes]);
        let made = json!({ "members": [{ "name": "ada" }, { "name": "made", "template": {} }] });
        let gone = "spec.members: made by the squad, and deleted with their workspaces: made";
        assert_eq!(told("Sleeping", made, squad(&["ada"])), [gone]);
    }
}
