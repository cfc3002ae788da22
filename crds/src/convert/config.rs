//! `KomputerConfig`.
use super::{
    field::{Field, Form, same},
    kind::Kind,
};

pub(super) const KIND: Kind = Kind { name: "KomputerConfig", spec: Some(&SPEC), status: None };

const SPEC: [Field; 5] = [
    same(&["apiURL"]),
    same(&["redis", "address"]),
    same(&["redis", "streamPrefix"]),
    Field { v1alpha1: &["redis", "db"], v1beta1: &["redis", "database"], form: Form::Same },
    Field { v1alpha1: &["redis", "passwordSecret"], v1beta1: &["redis", "passwordSecretRef"], form: Form::Same },
];
