use komputer_crds::validate::{Kind, causes, causes_of_change};
use serde_json::Value;

use super::admission::{API_VERSION, Answer, Request, Review};
use crate::references::References;

/// Admits or refuses an object, with warnings for what it refers to and is not there.
pub(super) async fn answer(
    kind: Kind,
    review: Review,
    references: &References,
) -> Result<(Answer, &'static str), String> {
    let Review { api_version, kind: review_kind, request: Some(request) } = review else {
        return Err("the review has no request".into());
    };
    if api_version != API_VERSION || review_kind != "AdmissionReview" {
        return Err(format!("{api_version} {review_kind} is not known here; send an AdmissionReview of {API_VERSION}"));
    }
    if is_going(&request) {
        return Ok((Answer::allowed(request.uid, Vec::new()), "allowed"));
    }
    let causes = match &request.old_object {
        Value::Null => causes(kind, &request.object),
        old => causes_of_change(kind, old, &request.object),
    };
    if !causes.is_empty() {
        return Ok((Answer::denied(request.uid, kind, &request.name, &causes), "denied"));
    }
    let warnings = references.missing(kind, &request.namespace, &request.object).await;
    Ok((Answer::allowed(request.uid, warnings), "allowed"))
}

/// What is being deleted has to be able to go, whatever it says.
fn is_going(request: &Request) -> bool {
    request.operation == "DELETE" || request.object.pointer("/metadata/deletionTimestamp").is_some()
}
