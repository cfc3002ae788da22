//! Security contexts, which may tighten what komputer sets and never loosen it (Pod Security "restricted").
use k8s_openapi::api::core::v1::{PodSecurityContext, SecurityContext};
use serde_json::{Value, json};

use super::{Cause, typed::check_fields};

/// Checks a pod's security context.
pub(super) fn check_pod(field: &str, context: Option<&Value>, causes: &mut Vec<Cause>) {
    check::<PodSecurityContext>(field, context, tightens_pod, causes);
}

/// Checks a container's security context.
pub(super) fn check_container(field: &str, context: Option<&Value>, causes: &mut Vec<Cause>) {
    check::<SecurityContext>(field, context, tightens_container, causes);
}

fn check<T: serde::de::DeserializeOwned + serde::Serialize>(
    field: &str,
    context: Option<&Value>,
    tightens: fn(&str, &Value) -> bool,
    causes: &mut Vec<Cause>,
) {
    let Some(context) = context else { return };
    let Some(fields) = context.as_object() else {
        causes.push(Cause::invalid(field, context, "must be a security context"));
        return;
    };
    let mut known = fields.clone();
    known.retain(|name, value| value.is_null() || tightens(name, value));
    for name in fields.keys().filter(|name| !known.contains_key(*name)) {
        let why = "an agent's pod keeps to Pod Security \"restricted\", and this loosens it; remove it";
        causes.push(Cause::forbidden(format!("{field}.{name}"), why));
    }
    check_fields::<T>(field, &known, &json!({}), causes);
}

fn tightens_pod(name: &str, value: &Value) -> bool {
    match name {
        "fsGroup" | "fsGroupChangePolicy" | "supplementalGroups" | "supplementalGroupsPolicy" => true,
        _ => is_unprivileged_user(name, value),
    }
}

fn tightens_container(name: &str, value: &Value) -> bool {
    match name {
        "allowPrivilegeEscalation" | "privileged" => value == false,
        "readOnlyRootFilesystem" => value == true,
        "capabilities" => value.get("add").is_none_or(|add| add.as_array().is_some_and(Vec::is_empty)),
        _ => is_unprivileged_user(name, value),
    }
}

/// Fields that pods and containers both have.
fn is_unprivileged_user(name: &str, value: &Value) -> bool {
    match name {
        "runAsNonRoot" => value == true,
        "runAsUser" | "runAsGroup" => value.as_i64().is_some_and(|id| id > 0),
        "seccompProfile" => value.get("type").is_some_and(|kind| kind == "RuntimeDefault" || kind == "Localhost"),
        _ => false,
    }
}
