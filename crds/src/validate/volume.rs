//! What volumes a pod template may add.
use k8s_openapi::api::core::v1::Volume;
use serde_json::{Value, json};

use super::{Cause, typed::check_fields};

/// Where a volume's content may come from.
const SOURCES: [&str; 5] = ["configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "secret"];

/// Volumes that komputer makes.
const OWN: [&str; 2] = ["tmp", "workspace"];

/// Secrets that komputer makes begin with it, and hold tokens and copied keys.
const OWN_SECRETS: &str = "komputer-agent-";

pub(super) fn check_list(field: &str, list: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(list) = list else { return };
    let Some(volumes) = list.as_array() else {
        causes.push(Cause::invalid(field, list, "must be a list of volumes"));
        return;
    };
    for (index, volume) in volumes.iter().enumerate() {
        check(&format!("{field}[{index}]"), volume, causes);
    }
}

fn check(field: &str, volume: &Value, causes: &mut Vec<Cause>) {
    let Some(fields) = volume.as_object() else {
        causes.push(Cause::invalid(field, volume, "must be a volume"));
        return;
    };
    match volume.get("name").and_then(Value::as_str) {
        Some(name) if is_own(name) => {
            let why = "komputer makes this volume itself; use another name, or spec.storage for the workspace";
            causes.push(Cause::forbidden(format!("{field}.name"), why));
        }
        Some(_) => {}
        None => causes.push(Cause::required(format!("{field}.name"), "mounts refer to it; add it")),
    }
    let mut known = fields.clone();
    known.retain(|name, _| name == "name" || SOURCES.contains(&name.as_str()));
    for name in fields.keys().filter(|name| !known.contains_key(*name)) {
        causes.push(Cause::forbidden(format!("{field}.{name}"), why_not(name)));
    }
    check_fields::<Volume>(field, &known, &json!({ "name": "" }), causes);
    check_secret_name(&format!("{field}.secret.secretName"), volume.pointer("/secret/secretName"), causes);
}

/// Whether komputer makes the volume of this name.
pub(super) fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

fn why_not(source: &str) -> &'static str {
    match source {
        "hostPath" => "it gives the agent files of the node; use persistentVolumeClaim",
        "projected" => "it can hold a service account token; use configMap, secret or downwardAPI volumes",
        _ => {
            "volumes are of configMap, downwardAPI, emptyDir, persistentVolumeClaim or secret; use a persistentVolumeClaim"
        }
    }
}

/// Checks that a Secret's name is not that of one that komputer makes.
pub(super) fn check_secret_name(field: &str, name: Option<&Value>, causes: &mut Vec<Cause>) {
    if name.and_then(Value::as_str).is_some_and(|name| name.starts_with(OWN_SECRETS)) {
        let why = format!("Secrets whose names begin with {OWN_SECRETS} are komputer's own; use another Secret");
        causes.push(Cause::forbidden(field, why));
    }
}
