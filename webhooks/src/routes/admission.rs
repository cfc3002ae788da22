//! `AdmissionReview` of `admission.k8s.io/v1`.
use komputer_crds::validate::{Cause, Kind, message};
use kube::core::{
    Status,
    response::{StatusCause, StatusDetails},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) const API_VERSION: &str = "admission.k8s.io/v1";

/// As asked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Review {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) request: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) uid: String,
    pub(super) operation: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    /// Nothing comes of it: somebody wants to know what would.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// The kind as the client wrote it, before the apiserver converted it for the webhook.
    #[serde(rename = "requestKind")]
    pub(super) written_as: Option<WrittenAs>,
    #[serde(default)]
    pub(super) object: Value,
    #[serde(default)]
    pub(super) old_object: Value,
}

#[derive(Deserialize)]
pub(super) struct WrittenAs {
    pub(super) version: String,
}

/// As answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Serialize)]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Answer {
    /// The object is admitted.
    pub(super) fn allowed(uid: String, warnings: Vec<String>) -> Self {
        Self::new(Response { uid, allowed: true, status: None, warnings })
    }

    /// The object is refused, for all of `causes`.
    pub(super) fn denied(uid: String, kind: Kind, name: &str, causes: &[Cause]) -> Self {
        let details = StatusDetails {
            name: name.into(),
            group: komputer_crds::GROUP.into(),
            kind: kind.name().into(),
            uid: String::new(),
            causes: causes.iter().map(status_cause).collect(),
            retry_after_seconds: 0,
        };
        let status = Status::failure(&message(causes), "Invalid").with_code(422).with_details(details);
        Self::new(Response { uid, allowed: false, status: Some(status), warnings: Vec::new() })
    }

    fn new(response: Response) -> Self {
        Self { api_version: API_VERSION, kind: "AdmissionReview", response }
    }
}

fn status_cause(cause: &Cause) -> StatusCause {
    StatusCause { reason: cause.reason.cause_type().into(), message: cause.text(), field: cause.field.clone() }
}

#[cfg(test)]
mod tests {
    use komputer_crds::validate::causes;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_is_a_status_that_clients_can_read() {
        let object = json!({ "spec": { "podTemplate": { "spec": { "hostPID": true, "hostIPC": true } } } });
        let answer = Answer::denied("1".into(), Kind::Agent, "a", &causes(Kind::Agent, &object));
        let why = "it lets the agent see and signal the node's processes; remove it";
        let cause = |name: &str| {
            json!({
                "reason": "FieldValueForbidden", "field": format!("spec.podTemplate.spec.{name}"),
                "message": format!("Forbidden: {why}"),
            })
        };
        let expected = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": { "uid": "1", "allowed": false, "status": {
                "status": "Failure", "code": 422, "reason": "Invalid",
                "message": format!(
                    "[spec.podTemplate.spec.hostIPC: Forbidden: {why}, spec.podTemplate.spec.hostPID: Forbidden: {why}]"
                ),
                "details": {
                    "group": "komputer.komputer.ai", "kind": "KomputerAgent", "name": "a",
                    "causes": [cause("hostIPC"), cause("hostPID")],
                },
            } },
        });
        assert_eq!(serde_json::to_value(answer).unwrap(), expected);
    }
}
