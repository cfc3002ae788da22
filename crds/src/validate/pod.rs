//! What a pod template may change of an agent's pod.
//!
//! The list says what is allowed, so that a field that Kubernetes adds later is refused until somebody has thought about
//! it. An agent's shell is hostile: nothing here may give it the node, the cluster, another agent or komputer's own keys.
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::{Map, Value, json};

use super::{
    Cause, container,
    container::Role,
    names::{is_label_key, is_label_value},
    security,
    typed::check_fields,
    volume,
};

/// Fields of a PodSpec that are taken as they are, once they are of the right type.
const ALLOWED: [&str; 11] = [
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "imagePullSecrets",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
];

/// Fields of a PodSpec that have rules of their own.
const CHECKED: [&str; 4] = ["containers", "initContainers", "securityContext", "volumes"];

/// Labels that are komputer's or Kubernetes' own.
const RESERVED_LABELS: [&str; 4] = ["app.kubernetes.io/", "komputer.ai/", "komputer.komputer.ai/", "kubernetes.io/"];

/// Why a field that somebody may well want is not allowed.
fn why_not(name: &str) -> &'static str {
    match name {
        "hostPID" | "hostIPC" => "it lets the agent see and signal the node's processes; remove it",
        "hostNetwork" => "it puts the agent on the node's network, past every NetworkPolicy; remove it",
        "hostUsers" => "komputer decides on user namespaces; remove it",
        "serviceAccountName" | "serviceAccount" | "automountServiceAccountToken" => {
            "an agent has no Kubernetes credentials; remove it and use a connector instead"
        }
        "nodeName" => "it goes past the scheduler; use nodeSelector or affinity",
        "schedulerName" => "agents are scheduled by the cluster's own scheduler; remove it",
        "restartPolicy" | "activeDeadlineSeconds" => "komputer decides how long an agent runs; remove it",
        "shareProcessNamespace" => "it shows other containers the process that holds the model's key; remove it",
        "ephemeralContainers" => "they are for kubectl debug; use containers",
        "enableServiceLinks" | "hostname" | "subdomain" | "setHostnameAsFQDN" | "os" => "komputer sets it; remove it",
        _ => "it is not among the fields that may be changed; remove it",
    }
}

/// Checks `podTemplate`, an object with `labels` and `spec`.
pub(super) fn check_template(field: &str, template: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(template) = template else { return };
    for (key, value) in template.get("labels").and_then(Value::as_object).into_iter().flatten() {
        check_label(&format!("{field}.labels.{key}"), key, value, causes);
    }
    match template.get("spec") {
        Some(Value::Object(spec)) => check_spec(&format!("{field}.spec"), spec, causes),
        None | Some(Value::Null) => {}
        Some(other) => causes.push(Cause::invalid(format!("{field}.spec"), other, "must be a part of a PodSpec")),
    }
}

fn check_label(field: &str, key: &str, value: &Value, causes: &mut Vec<Cause>) {
    if RESERVED_LABELS.iter().any(|prefix| key.starts_with(prefix)) {
        causes.push(Cause::forbidden(field, "komputer and Kubernetes set these labels; use a prefix of your own"));
    } else if !is_label_key(key) || !value.as_str().is_none_or(is_label_value) {
        let form = "a label's name and value have letters, digits, '-', '_' and '.', at most 63; correct it";
        causes.push(Cause::invalid(field, value, form));
    }
}

fn check_spec(field: &str, spec: &Map<String, Value>, causes: &mut Vec<Cause>) {
    let (known, unknown): (Map<_, _>, Map<_, _>) = spec
        .clone()
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .partition(|(name, _)| ALLOWED.contains(&name.as_str()) || CHECKED.contains(&name.as_str()));
    for name in unknown.keys() {
        causes.push(Cause::forbidden(format!("{field}.{name}"), why_not(name)));
    }
    let simple = known.iter().filter(|(name, _)| ALLOWED.contains(&name.as_str()));
    let simple = simple.map(|(name, value)| (name.clone(), value.clone())).collect();
    check_fields::<PodSpec>(field, &simple, &json!({ "containers": [] }), causes);
    container::check_list(&format!("{field}.containers"), Role::Main, known.get("containers"), causes);
    container::check_list(&format!("{field}.initContainers"), Role::Init, known.get("initContainers"), causes);
    volume::check_list(&format!("{field}.volumes"), known.get("volumes"), causes);
    security::check_pod(&format!("{field}.securityContext"), known.get("securityContext"), causes);
}
