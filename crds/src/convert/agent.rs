//! `KomputerAgent`.
use serde::Deserialize;
use serde_json::Value;

use super::{
    Fields, Version,
    field::{Field, Form, Word::Text, same},
    kind::{Kind, Status},
    status::ready_message,
};
use crate::{v1alpha1::words, v1beta1::AgentPhase};

pub(super) const KIND: Kind = Kind {
    name: "KomputerAgent",
    spec: Some(&SPEC),
    status: Some(Status {
        own: &[
            "phase",
            "taskStatus",
            "lastTaskMessage",
            "lastTaskCostUSD",
            "totalTokens",
            "pvcName",
            "startTime",
            "completionTime",
            "message",
            "modelContextWindow",
            "queueReason",
            "squad",
            "port",
        ],
        translate,
    }),
};

pub(super) const ROLE: Form = Form::Words(&[(Text("manager"), Text("Manager")), (Text("worker"), Text("Worker"))]);
pub(super) const LIFECYCLE: Form = Form::Words(&[
    (Text(""), Text("KeepRunning")),
    (Text("Sleep"), Text("Sleep")),
    (Text("AutoDelete"), Text("Delete")),
]);

pub(super) const SPEC: [Field; 16] = [
    same(&["instructions"]),
    same(&["systemPrompt"]),
    same(&["model"]),
    same(&["priority"]),
    Field { v1alpha1: &["templateRef"], v1beta1: &["templateRef", "name"], form: Form::Same },
    Field { v1alpha1: &["role"], v1beta1: &["role"], form: ROLE },
    Field { v1alpha1: &["lifecycle"], v1beta1: &["lifecycle", "afterTask"], form: LIFECYCLE },
    Field { v1alpha1: &["officeManager"], v1beta1: &["managerRef", "name"], form: Form::Same },
    Field { v1alpha1: &["secrets"], v1beta1: &["secretRefs"], form: Form::Names },
    Field { v1alpha1: &["skills"], v1beta1: &["skills"], form: Form::References },
    Field { v1alpha1: &["memories"], v1beta1: &["memories"], form: Form::References },
    Field { v1alpha1: &["connectors"], v1beta1: &["connectors"], form: Form::References },
    Field { v1alpha1: &["podSpec"], v1beta1: &["podTemplate", "spec"], form: Form::Same },
    Field { v1alpha1: &["labels"], v1beta1: &["podTemplate", "labels"], form: Form::Same },
    same(&["storage", "size"]),
    same(&["storage", "storageClassName"]),
];

fn translate(own: &Fields, shared: &Fields, to: Version) -> Fields {
    match to {
        Version::V1alpha1 => to_v1alpha1(own, shared),
        Version::V1beta1 => to_v1beta1(own),
    }
}

fn to_v1alpha1(own: &Fields, shared: &Fields) -> Fields {
    let phase = own.get("phase").and_then(|phase| AgentPhase::deserialize(phase).ok());
    let last_task = |name: &str| shared.get("lastTask").and_then(|task| task.get(name)).and_then(Value::as_str);
    let fields = [
        ("phase", phase.map(words::phase).map(Value::from)),
        ("taskStatus", last_task("phase").map(words::task_status).map(Value::from)),
        ("lastTaskMessage", last_task("message").map(Value::from)),
        ("lastTaskCostUSD", last_task("costUSD").map(Value::from)),
        ("totalTokens", shared.get("tokens").and_then(Value::as_object).map(total).map(Value::from)),
        ("message", ready_message(shared)),
        ("queueReason", ready_message(shared).filter(|_| phase == Some(AgentPhase::Queued))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect()
}

fn total(tokens: &Fields) -> i64 {
    tokens.values().filter_map(Value::as_i64).fold(0, i64::saturating_add)
}

fn to_v1beta1(own: &Fields) -> Fields {
    let text = |name: &str| own.get(name).and_then(Value::as_str);
    let busy = matches!(text("taskStatus"), Some("InProgress" | "Compacting"));
    let phase = match text("phase") {
        Some("Pending") => "Pending",
        Some("Queued") => "Queued",
        Some("Running") if busy => "Working",
        Some("Running") => "Idle",
        Some("Sleeping") => "Sleeping",
        Some("Succeeded") => "Finished",
        Some("Failed") => "Failed",
        _ => return Fields::new(),
    };
    Fields::from_iter([("phase".into(), phase.into())])
}
