//! What containers of a pod template may be.
use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Container;
use serde_json::{Map, Value, json};

use super::{
    Cause, security,
    typed::check_fields,
    volume::{check_secret_name, is_own},
};

/// The container that komputer itself makes. A template may change it, but not what runs in it: that process holds the
/// model's key.
const AGENT: &str = "agent";

/// Fields of every container.
const ALLOWED: [&str; 9] =
    ["env", "envFrom", "image", "imagePullPolicy", "name", "ports", "resources", "securityContext", "volumeMounts"];

/// Fields of containers other than the agent's own.
const ALLOWED_BESIDE_AGENT: [&str; 9] = [
    "args",
    "command",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "restartPolicy",
    "startupProbe",
    "volumeDevices",
    "workingDir",
];

/// Variables that tell komputer's own process what it is.
const RESERVED_VARIABLES: [&str; 2] = ["KOMPUTER_", "ANTHROPIC_"];

/// Which list a container is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Main,
    Init,
}

pub(super) fn check_list(field: &str, role: Role, list: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(list) = list else { return };
    let Some(containers) = list.as_array() else {
        causes.push(Cause::invalid(field, list, "must be a list of containers"));
        return;
    };
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let Some(container) = container.as_object() else {
            causes.push(Cause::invalid(field, container, "must be a container"));
            continue;
        };
        match container.get("name").and_then(Value::as_str) {
            Some(name) if !names.insert(name) => {
                causes.push(Cause::duplicate(format!("{field}.name"), name, "two containers have it; rename one"));
            }
            Some(_) => {}
            None => causes.push(Cause::required(format!("{field}.name"), "containers are merged by name; add it")),
        }
        check(&field, role, container, causes);
    }
}

fn check(field: &str, role: Role, container: &Map<String, Value>, causes: &mut Vec<Cause>) {
    let is_agent = role == Role::Main && container.get("name").is_some_and(|name| name == AGENT);
    let (known, unknown): (Map<_, _>, Map<_, _>) = container
        .clone()
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .partition(|(name, _)| is_allowed(name, is_agent));
    for name in unknown.keys() {
        causes.push(Cause::forbidden(format!("{field}.{name}"), why_not(name, is_agent)));
    }
    if !is_agent && !known.contains_key("image") {
        causes.push(Cause::required(format!("{field}.image"), "only the container \"agent\" has one already; add it"));
    }
    check_fields::<Container>(field, &known, &json!({ "name": "" }), causes);
    check_variables(field, &known, causes);
    check_ports(field, &known, causes);
    if is_agent {
        check_agent_mounts(field, &known, causes);
    }
    security::check_container(&format!("{field}.securityContext"), known.get("securityContext"), causes);
}

fn is_allowed(name: &str, is_agent: bool) -> bool {
    ALLOWED.contains(&name) || (!is_agent && ALLOWED_BESIDE_AGENT.contains(&name))
}

fn why_not(name: &str, is_agent: bool) -> &'static str {
    if is_agent && ALLOWED_BESIDE_AGENT.contains(&name) {
        "the agent's container runs komputer's own process, which holds the model's key; remove it, or use a container of your own"
    } else {
        "it is not among the fields that may be changed; remove it"
    }
}

fn check_variables(field: &str, container: &Map<String, Value>, causes: &mut Vec<Cause>) {
    for (index, variable) in items(container, "env") {
        let field = format!("{field}.env[{index}]");
        let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
        if is_reserved(name, variable) {
            let why = format!("{name} is komputer's own, as every name in KOMPUTER_ and ANTHROPIC_; use another name");
            causes.push(Cause::forbidden(format!("{field}.name"), why));
        }
        let secret = variable.pointer("/valueFrom/secretKeyRef/name");
        check_secret_name(&format!("{field}.valueFrom.secretKeyRef.name"), secret, causes);
    }
    for (index, source) in items(container, "envFrom") {
        let field = format!("{field}.envFrom[{index}]");
        let prefix = source.get("prefix").and_then(Value::as_str).unwrap_or_default();
        if RESERVED_VARIABLES.iter().any(|reserved| prefix.starts_with(reserved)) {
            let why = "names in KOMPUTER_ and ANTHROPIC_ are komputer's own; use another prefix";
            causes.push(Cause::forbidden(format!("{field}.prefix"), why));
        }
        check_secret_name(&format!("{field}.secretRef.name"), source.pointer("/secretRef/name"), causes);
    }
}

/// A key from a Secret is what templates of komputer.ai name the model's key by, and their metrics are nobody's here.
fn is_reserved(name: &str, variable: &Value) -> bool {
    let of_komputer_ai = name.starts_with("KOMPUTER_METRICS_")
        || name == "ANTHROPIC_API_KEY" && variable.pointer("/valueFrom/secretKeyRef").is_some();
    !of_komputer_ai && RESERVED_VARIABLES.iter().any(|prefix| name.starts_with(prefix))
}

fn check_ports(field: &str, container: &Map<String, Value>, causes: &mut Vec<Cause>) {
    for (index, port) in items(container, "ports") {
        for name in ["hostPort", "hostIP"].into_iter().filter(|name| port.get(*name).is_some()) {
            let why = "it opens a port of the node; remove it, and use a Service of your own";
            causes.push(Cause::forbidden(format!("{field}.ports[{index}].{name}"), why));
        }
    }
}

/// Mounts of the agent's own container are merged by name with komputer's.
fn check_agent_mounts(field: &str, container: &Map<String, Value>, causes: &mut Vec<Cause>) {
    for (index, mount) in items(container, "volumeMounts") {
        if mount.get("name").and_then(Value::as_str).is_some_and(is_own) {
            let why = "komputer mounts this volume itself; mount a volume of your own";
            causes.push(Cause::forbidden(format!("{field}.volumeMounts[{index}].name"), why));
        }
    }
}

fn items<'a>(container: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    container.get(name).and_then(Value::as_array).into_iter().flatten().enumerate()
}
