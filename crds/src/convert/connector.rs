//! `KomputerConnector`.
use super::{
    field::{Field, Form, Word::Text, same},
    kind::Kind,
};

pub(super) const KIND: Kind = Kind { name: "KomputerConnector", spec: Some(&SPEC), status: None };

const SPEC: [Field; 8] = [
    same(&["service"]),
    same(&["displayName"]),
    same(&["url"]),
    Field {
        v1alpha1: &["type"],
        v1beta1: &["transport"],
        form: Form::Words(&[
            (Text("remote"), Text("StreamableHTTP")),
            (Text("remote"), Text("SSE")),
            (Text("remote"), Text("Stdio")),
        ]),
    },
    Field {
        v1alpha1: &["authType"],
        v1beta1: &["auth", "type"],
        form: Form::Words(&[
            (Text("token"), Text("Bearer")),
            (Text("oauth"), Text("OAuth")),
            (Text("header"), Text("Header")),
        ]),
    },
    Field { v1alpha1: &["headerName"], v1beta1: &["auth", "headerName"], form: Form::Same },
    Field { v1alpha1: &["authSecretKeyRef", "name"], v1beta1: &["auth", "secretKeyRef", "name"], form: Form::Same },
    Field { v1alpha1: &["authSecretKeyRef", "key"], v1beta1: &["auth", "secretKeyRef", "key"], form: Form::Same },
];
