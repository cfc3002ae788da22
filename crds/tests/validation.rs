//! What admission refuses, with the words that people read.
#![allow(clippy::unwrap_used)]

use komputer_crds::validate::{Kind, causes, causes_of_change};
use proptest::prelude::*;
use serde_json::{Value, json};

/// All that is wrong with an agent with this part of a PodSpec.
fn of_pod(spec: Value) -> Vec<String> {
    texts(Kind::Agent, json!({ "podTemplate": { "spec": spec } }))
}

fn texts(kind: Kind, spec: Value) -> Vec<String> {
    causes(kind, &json!({ "spec": spec })).iter().map(ToString::to_string).collect()
}

#[test]
fn what_a_pod_may_have_is_admitted() {
    let spec = json!({
        "containers": [
            {
                "name": "agent", "image": "example.com/agent:1", "imagePullPolicy": "Always",
                "env": [{ "name": "TEAM", "value": "blue" }, { "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": "t", "key": "k" } } }],
                "envFrom": [{ "configMapRef": { "name": "settings" } }],
                "resources": { "limits": { "memory": "2Gi" }, "requests": { "cpu": 0.5 } },
                "volumeMounts": [{ "name": "cache", "mountPath": "/cache" }], "ports": [{ "containerPort": 3000 }],
                "securityContext": { "capabilities": { "drop": ["ALL"] }, "runAsUser": 1000 },
            },
            {
                "name": "postgres", "image": "postgres:18", "args": ["-c", "fsync=off"], "lifecycle": { "preStop": { "sleep": { "seconds": 1 } } },
                "volumeMounts": [{ "name": "workspace", "mountPath": "/workspace" }],
            },
        ],
        "initContainers": [{ "name": "clone", "image": "git:1", "command": ["git", "clone"] }],
        "nodeSelector": { "disk": "ssd" }, "tolerations": [{ "key": "gpu", "operator": "Exists" }],
        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [] } } },
        "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway" }],
        "priorityClassName": "low", "runtimeClassName": "gvisor", "imagePullSecrets": [{ "name": "registry" }],
        "volumes": [
            { "name": "cache", "emptyDir": {} }, { "name": "c", "configMap": { "name": "c" } },
            { "name": "s", "secret": { "secretName": "s" } }, { "name": "p", "persistentVolumeClaim": { "claimName": "p" } },
            { "name": "d", "downwardAPI": { "items": [] } },
        ],
        "terminationGracePeriodSeconds": 60, "hostAliases": [{ "ip": "10.0.0.1", "hostnames": ["db"] }],
        "dnsPolicy": "None", "dnsConfig": { "nameservers": ["10.0.0.10"] }, "securityContext": { "fsGroup": 2000, "runAsNonRoot": true },
    });
    assert_eq!(of_pod(spec.clone()), Vec::<String>::new());
    let template = json!({ "podTemplate": { "spec": spec, "labels": { "team": "blue", "example.com/a": "" } } });
    for kind in [Kind::Template, Kind::ClusterTemplate] {
        assert_eq!(texts(kind, template.clone()), Vec::<String>::new());
    }
}

#[test]
fn all_causes_are_named_at_once_with_what_to_do() {
    let spec = json!({
        "hostPID": true, "hostNetwork": true, "serviceAccountName": "admin", "someday": {},
        "volumes": [{ "name": "root", "hostPath": { "path": "/" } }, { "name": "workspace", "emptyDir": {} }],
        "containers": [{ "name": "agent", "command": ["sh"], "env": [{ "name": "KOMPUTER_AGENT_TOKEN", "value": "x" }] }],
    });
    let at = |rest: &str| format!("spec.podTemplate.spec.{rest}");
    assert_eq!(
        of_pod(spec),
        [
            at("hostNetwork: Forbidden: it puts the agent on the node's network, past every NetworkPolicy; remove it"),
            at("hostPID: Forbidden: it lets the agent see and signal the node's processes; remove it"),
            at(
                "serviceAccountName: Forbidden: an agent has no Kubernetes credentials; remove it and use a connector instead"
            ),
            at("someday: Forbidden: it is not among the fields that may be changed; remove it"),
            at(
                "containers[0].command: Forbidden: the agent's container runs komputer's own process, which holds the model's key; \
                remove it, or use a container of your own"
            ),
            at(
                "containers[0].env[0].name: Forbidden: KOMPUTER_AGENT_TOKEN is komputer's own, as every name in KOMPUTER_ and ANTHROPIC_; \
                use another name"
            ),
            at("volumes[0].hostPath: Forbidden: it gives the agent files of the node; use persistentVolumeClaim"),
            at(
                "volumes[1].name: Forbidden: komputer makes this volume itself; use another name, or spec.storage for the workspace"
            ),
        ]
    );
}

#[test]
fn what_loosens_a_pod_is_refused() {
    let contexts = [
        json!({ "privileged": true }),
        json!({ "allowPrivilegeEscalation": true }),
        json!({ "runAsUser": 0 }),
        json!({ "runAsNonRoot": false }),
        json!({ "capabilities": { "add": ["NET_ADMIN"] } }),
        json!({ "procMount": "Unmasked" }),
        json!({ "seccompProfile": { "type": "Unconfined" } }),
        json!({ "seLinuxOptions": {} }),
        json!({ "readOnlyRootFilesystem": false }),
    ];
    for context in contexts {
        let name = context.as_object().unwrap().keys().next().unwrap().clone();
        let causes = of_pod(json!({ "containers": [{ "name": "agent", "securityContext": context }] }));
        assert_eq!(causes.len(), 1, "{causes:?}");
        assert!(
            causes[0].starts_with(&format!("spec.podTemplate.spec.containers[0].securityContext.{name}: Forbidden: "))
        );
    }
    assert_eq!(of_pod(json!({ "securityContext": { "sysctls": [], "runAsUser": 0, "fsGroup": 1 } })).len(), 2);
}

#[test]
fn what_is_no_pod_is_named_where_it_is() {
    let spec = json!({
        "tolerations": "all", "nodeSelector": { "disk": 1 },
        "containers": [
            { "name": "agent", "resources": { "limit": { "memory": "1Gi" } } },
            { "image": "x" }, { "name": "b" }, { "name": "b", "image": "x", "ports": [{ "hostPort": 80, "containerPort": 80 }] }, 5,
        ],
        "affinity": { "nodeAffinity": { "prefer": [] } },
    });
    let at = |rest: &str| format!("spec.podTemplate.spec.{rest}");
    assert_eq!(
        of_pod(spec),
        [
            at("affinity.nodeAffinity.prefer: Forbidden: there is no such field; correct its name or remove it"),
            at("nodeSelector: Invalid value: {\"disk\":1}: invalid type: integer `1`, expected a string; correct it"),
            at("tolerations: Invalid value: \"all\": invalid type: string \"all\", expected a sequence; correct it"),
            at("containers[0].resources.limit: Forbidden: there is no such field; correct its name or remove it"),
            at("containers[1].name: Required value: containers are merged by name; add it"),
            at("containers[2].image: Required value: only the container \"agent\" has one already; add it"),
            at("containers[3].name: Duplicate value: \"b\": two containers have it; rename one"),
            at(
                "containers[3].ports[0].hostPort: Forbidden: it opens a port of the node; remove it, and use a Service of your own"
            ),
            at("containers[4]: Invalid value: 5: must be a container"),
        ]
    );
    assert_eq!(of_pod(json!({ "containers": "many", "volumes": {} })).len(), 2);
    assert_eq!(texts(Kind::Agent, json!({ "podTemplate": { "spec": null } })), Vec::<String>::new());
}

#[test]
fn komputers_own_things_stay_its_own() {
    let spec = json!({
        "containers": [{
            "name": "agent", "volumeMounts": [{ "name": "tmp", "mountPath": "/x" }],
            "env": [{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "komputer-agent-other", "key": "agent-token" } } }],
            "envFrom": [{ "secretRef": { "name": "komputer-agent-other" } }, { "prefix": "ANTHROPIC_", "secretRef": { "name": "a" } }],
        }],
        "volumes": [{ "name": "s", "secret": { "secretName": "komputer-agent-other" } }, { "name": "t", "projected": { "sources": [] } }],
    });
    let causes = of_pod(spec);
    let fields: Vec<_> = causes.iter().map(|cause| cause.split(": ").next().unwrap()).collect();
    assert_eq!(
        fields,
        [
            "spec.podTemplate.spec.containers[0].env[0].valueFrom.secretKeyRef.name",
            "spec.podTemplate.spec.containers[0].envFrom[0].secretRef.name",
            "spec.podTemplate.spec.containers[0].envFrom[1].prefix",
            "spec.podTemplate.spec.containers[0].volumeMounts[0].name",
            "spec.podTemplate.spec.volumes[0].secret.secretName",
            "spec.podTemplate.spec.volumes[1].projected",
        ]
    );
    assert_eq!(
        texts(Kind::Agent, json!({ "secretRefs": [{ "name": "github" }, { "name": "komputer-agent-other" }] })),
        [
            "spec.secretRefs[1].name: Forbidden: Secrets whose names begin with komputer-agent- are komputer's own; use another Secret"
        ]
    );
}

#[test]
fn names_have_the_form_of_names() {
    let spec = json!({
        "templateRef": { "name": "Large" }, "skills": [{ "name": "review" }, { "name": "a_b", "namespace": "team" }],
        "podTemplate": { "labels": { "app.kubernetes.io/name": "x", "a b": "c", "team": "-" } },
    });
    let form = "an object's name has lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit; correct it";
    let label = "a label's name and value have letters, digits, '-', '_' and '.', at most 63; correct it";
    assert_eq!(
        texts(Kind::Agent, spec),
        [
            format!("spec.templateRef.name: Invalid value: \"Large\": {form}"),
            format!("spec.skills[1].name: Invalid value: \"a_b\": {form}"),
            format!("spec.podTemplate.labels.a b: Invalid value: \"c\": {label}"),
            "spec.podTemplate.labels.app.kubernetes.io/name: Forbidden: komputer and Kubernetes set these labels; use a prefix of your own".into(),
            format!("spec.podTemplate.labels.team: Invalid value: \"-\": {label}"),
        ]
    );
}

#[test]
fn a_task_may_cost_something() {
    let task = |amount: &str| json!({ "agentRef": { "name": "a" }, "instructions": "i", "maxCostUSD": amount });
    assert_eq!(texts(Kind::Task, task("0.01")), Vec::<String>::new());
    assert_eq!(
        texts(Kind::Task, task("0.00")),
        [
            "spec.maxCostUSD: Invalid value: \"0.00\": a task that may cost nothing cannot begin; raise it, or remove it for no limit"
        ]
    );
}

#[test]
fn a_spec_that_cannot_be_read_is_refused_even_where_the_schema_was_not_asked() {
    assert_eq!(
        texts(Kind::Agent, json!({ "suspend": "yes" })),
        ["spec: Invalid value: {\"suspend\":\"yes\"}: invalid type: string \"yes\", expected a boolean; correct it"]
    );
}

#[test]
fn what_was_wrong_before_may_stay_but_not_grow() {
    let agent = |spec: Value| json!({ "spec": spec });
    let pod = |containers: Value| json!({ "podTemplate": { "spec": { "hostPID": true, "containers": containers } } });
    let old = agent(pod(json!([{ "name": "agent", "command": ["sh"] }])));

    let mut elsewhere = old.clone();
    elsewhere["spec"]["instructions"] = "more".into();
    assert_eq!(causes_of_change(Kind::Agent, &old, &elsewhere), []);

    let moved = agent(pod(json!([{ "name": "proxy", "image": "p" }, { "name": "agent", "command": ["sh"] }])));
    assert_eq!(causes_of_change(Kind::Agent, &old, &moved), []);

    let mut worse = old.clone();
    worse["spec"]["podTemplate"]["spec"]["hostIPC"] = true.into();
    let causes = causes_of_change(Kind::Agent, &old, &worse);
    assert_eq!(causes.iter().map(|cause| cause.field.as_str()).collect::<Vec<_>>(), ["spec.podTemplate.spec.hostIPC"]);
}

#[test]
fn nothing_that_arrives_is_too_odd() {
    for odd in [json!(null), json!([]), json!({}), json!({ "spec": null }), json!({ "spec": { "podTemplate": [{}] } })]
    {
        for kind in Kind::ALL {
            causes(kind, &odd);
        }
    }
}

/// Any JSON, with the names that rules look for.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-zA-Z/. é]{0,6}".prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "spec",
        "podTemplate",
        "labels",
        "containers",
        "initContainers",
        "volumes",
        "securityContext",
        "env",
        "envFrom",
        "name",
        "valueFrom",
        "secretKeyRef",
        "secretRef",
        "prefix",
        "ports",
        "hostPort",
        "volumeMounts",
        "secret",
        "secretName",
        "capabilities",
        "add",
        "runAsUser",
        "affinity",
        "tolerations",
        "templateRef",
        "secretRefs",
        "agentRef",
        "maxCostUSD",
        "x",
    ]);
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(String::from), inner, 0..5)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_arrives_is_judged(old in value(), spec in value(), pod in value()) {
        let new = json!({ "spec": { "podTemplate": { "spec": pod }, "secretRefs": spec } });
        for kind in Kind::ALL {
            causes(kind, &old);
            let all = causes(kind, &new);
            prop_assert!(causes_of_change(kind, &old, &new).len() <= all.len());
            prop_assert_eq!(causes_of_change(kind, &new, &new), []);
        }
    }
}
