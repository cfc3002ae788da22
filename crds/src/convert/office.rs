//! `KomputerOffice`.
use super::{
    Fields, Version,
    agent::ROLE,
    field::{self, Field, Form, Identity, Word::Text, same},
    kind::{Kind, Status},
};

pub(super) const KIND: Kind = Kind {
    name: "KomputerOffice",
    spec: Some(&[Field { v1alpha1: &["manager"], v1beta1: &["managerRef", "name"], form: Form::Same }]),
    status: Some(Status { own: &["phase", "manager", "members"], translate }),
};

const STATUS: [Field; 3] = [
    Field {
        v1alpha1: &["phase"],
        v1beta1: &["phase"],
        form: Form::Words(&[
            (Text("InProgress"), Text("InProgress")),
            (Text("Complete"), Text("Complete")),
            (Text("Error"), Text("Failed")),
            (Text("InProgress"), Text("Pending")),
        ]),
    },
    Field { v1alpha1: &["manager"], v1beta1: &["manager"], form: Form::Object(&MEMBER) },
    Field { v1alpha1: &["members"], v1beta1: &["members"], form: Form::Objects(&MEMBER) },
];

const MEMBER: [Field; 4] = [
    same(&["name"]),
    Field { v1alpha1: &["role"], v1beta1: &["role"], form: ROLE },
    Field {
        v1alpha1: &["taskStatus"],
        v1beta1: &["taskPhase"],
        form: Form::Words(&[
            (Text("InProgress"), Text("Running")),
            (Text("Complete"), Text("Succeeded")),
            (Text("Error"), Text("Failed")),
            (Text("Complete"), Text("Cancelled")),
        ]),
    },
    Field { v1alpha1: &["lastTaskCostUSD"], v1beta1: &["totalCostUSD"], form: Form::Same },
];

fn translate(own: &Fields, _: &Fields, to: Version) -> Fields {
    field::translate(&STATUS, own, to, Identity::default())
}
