//! `KomputerSchedule`.
use super::{
    Fields, Version,
    agent::{LIFECYCLE, ROLE},
    field::{
        self, Field, Form, Identity,
        Word::{Bool, Number, Text},
        same,
    },
    kind::{Kind, Status},
    status::with_ready_message,
};

pub(super) const KIND: Kind = Kind {
    name: "KomputerSchedule",
    spec: Some(&SPEC),
    status: Some(Status { own: &["phase", "lastRunPhase", "lastRunStatus", "message"], translate }),
};

const SPEC: [Field; 12] = [
    same(&["schedule"]),
    Field { v1alpha1: &["instructions"], v1beta1: &["task", "instructions"], form: Form::Same },
    Field { v1alpha1: &["timezone"], v1beta1: &["timeZone"], form: Form::Same },
    Field { v1alpha1: &["suspended"], v1beta1: &["suspend"], form: Form::Same },
    Field { v1alpha1: &["autoDelete"], v1beta1: &["completions"], form: Form::Words(&[(Bool(true), Number(1))]) },
    Field {
        v1alpha1: &["keepAgents"],
        v1beta1: &["agentDeletionPolicy"],
        form: Form::Words(&[(Bool(true), Text("Retain")), (Bool(false), Text("Delete"))]),
    },
    Field { v1alpha1: &["agentName"], v1beta1: &["agentRef", "name"], form: Form::Same },
    same(&["agent", "model"]),
    Field { v1alpha1: &["agent", "lifecycle"], v1beta1: &["agent", "lifecycle", "afterTask"], form: LIFECYCLE },
    Field { v1alpha1: &["agent", "role"], v1beta1: &["agent", "role"], form: ROLE },
    Field { v1alpha1: &["agent", "templateRef"], v1beta1: &["agent", "templateRef", "name"], form: Form::Same },
    Field { v1alpha1: &["agent", "secrets"], v1beta1: &["agent", "secretRefs"], form: Form::Names },
];

const STATUS: [Field; 2] = [
    Field {
        v1alpha1: &["phase"],
        v1beta1: &["phase"],
        form: Form::Words(&[
            (Text("Active"), Text("Active")),
            (Text("Suspended"), Text("Suspended")),
            (Text("Error"), Text("Failed")),
            (Text("Active"), Text("Completed")),
        ]),
    },
    Field {
        v1alpha1: &["lastRunStatus"],
        v1beta1: &["lastRunPhase"],
        form: Form::Words(&[
            (Text("InProgress"), Text("Running")),
            (Text("Success"), Text("Succeeded")),
            (Text("Failed"), Text("Failed")),
            (Text("InProgress"), Text("Pending")),
            (Text("Failed"), Text("Cancelled")),
        ]),
    },
];

fn translate(own: &Fields, shared: &Fields, to: Version) -> Fields {
    with_ready_message(field::translate(&STATUS, own, to, Identity::default()), shared, to)
}
