use std::collections::BTreeMap;

use komputer_crds::{
    deprecated,
    validate::{Kind, causes, causes_of_change},
};
use serde_json::Value;

use super::admission::{API_VERSION, Answer, Request, Review};
use crate::{
    foresight::{Change, foresight},
    references::{References, cut},
};

/// Admits or refuses an object, with warnings for what it refers to and is not there.
pub(super) fn answer(kind: Kind, review: Review, references: &References) -> Result<(Answer, &'static str), String> {
    let Review { api_version, kind: review_kind, request: Some(request) } = review else {
        return Err("the review has no request".into());
    };
    if api_version != API_VERSION || review_kind != "AdmissionReview" {
        return Err(format!("{api_version} {review_kind} is not known here; send an AdmissionReview of {API_VERSION}"));
    }
    if is_going(&request) {
        return Ok((Answer::allowed(request.uid, Vec::new()), "allowed"));
    }
    let mut causes = match &request.old_object {
        Value::Null => causes(kind, &request.object),
        old => causes_of_change(kind, old, &request.object),
    };
    if request.old_object.pointer("/spec/managerRef") != request.object.pointer("/spec/managerRef") {
        causes.extend(references.cause(kind, &request.namespace, &request.name, &request.object));
    }
    if !causes.is_empty() {
        return Ok((Answer::denied(request.uid, kind, &request.name, &causes), "denied"));
    }
    let mut warnings = references.missing(kind, &request.namespace, &request.object);
    warnings.extend(references.shared(kind, &request.namespace, &request.name, &request.object));
    warnings.extend(deprecated(kind, &annotations(&request.object)));
    warnings.extend(promoted(&request).then(|| PROMOTED.to_owned()));
    if request.dry_run {
        let Request { namespace, name, old_object: old, object: new, .. } = &request;
        let told = foresight(kind, Change { namespace, name, old, new }, references);
        warnings.extend(told.iter().map(|told| cut(told)));
    }
    Ok((Answer::allowed(request.uid, warnings), "allowed"))
}

fn annotations(object: &Value) -> BTreeMap<String, String> {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten();
    annotations.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// v1alpha1 makes an agent a manager where it does not say, and v1beta1 a worker.
const PROMOTED: &str =
    "spec.role: now manager, as v1alpha1 has it where nothing is said; write worker, or write v1beta1";

/// Whether a write through v1alpha1 has given an agent a role that it did not have.
fn promoted(request: &Request) -> bool {
    request.written_as.as_ref().is_some_and(|kind| kind.version == "v1alpha1")
        && request.old_object.is_object()
        && request.old_object.pointer("/spec/role").is_none()
        && request.object.pointer("/spec/role").is_some_and(|role| role == "Manager")
}

/// What is being deleted has to be able to go, whatever it says.
fn is_going(request: &Request) -> bool {
    request.operation == "DELETE" || request.object.pointer("/metadata/deletionTimestamp").is_some()
}
