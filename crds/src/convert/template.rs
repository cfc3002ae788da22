//! `KomputerAgentTemplate` and `KomputerAgentClusterTemplate`.
use super::{
    field::{Field, Form, same},
    kind::Kind,
};

pub(super) const NAMESPACED: Kind = Kind { name: "KomputerAgentTemplate", spec: Some(&SPEC), status: None };
pub(super) const CLUSTER: Kind = Kind { name: "KomputerAgentClusterTemplate", spec: Some(&SPEC), status: None };

const SPEC: [Field; 5] = [
    same(&["maxConcurrentAgents"]),
    Field { v1alpha1: &["podSpec"], v1beta1: &["podTemplate", "spec"], form: Form::Same },
    same(&["storage", "size"]),
    same(&["storage", "storageClassName"]),
    Field { v1alpha1: &["anthropicKeySecretRef"], v1beta1: &["model", "apiKeySecretRef"], form: Form::Same },
];
