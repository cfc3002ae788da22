//! What the apiserver may ask.
mod admission;
mod conversion;
mod validation;

use std::{sync::Arc, time::Instant};

use komputer_crds::validate::Kind;
use serde::{Serialize, de::DeserializeOwned};
use warp::{
    Filter as _, Reply as _,
    filters::BoxedFilter,
    http::StatusCode,
    hyper::body::Bytes,
    reply::{self, Response},
};

use crate::{metrics::Metrics, references::References, tls::Caller};

/// Who may ask for admission. An answer tells which objects exist, and conversion tells nothing that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admits {
    /// Whoever reaches the server.
    Anybody,
    /// Who has shown a certificate.
    Verified,
}

/// `POST /convert` and `POST /validate/<plural>`.
pub fn routes(references: Arc<References>, admits: Admits, metrics: Metrics) -> BoxedFilter<(Response,)> {
    let measured = metrics.clone();
    let conversion = warp::path!("convert").and(warp::post()).and(warp::body::bytes()).map(move |body: Bytes| {
        let begun = Instant::now();
        let _span = tracing::debug_span!("convert").entered();
        let (response, result) = convert(&body).map_or_else(bad_request, |(review, result)| (json(&review), result));
        measured.answered("convert", result, begun.elapsed());
        response
    });
    let admission =
        warp::path!("validate" / String).and(warp::post()).and(warp::ext::optional()).and(warp::body::bytes());
    let admission = admission.map(move |plural: String, caller: Option<Caller>, body: Bytes| {
        if admits == Admits::Verified && caller != Some(Caller::Verified) {
            return reply::with_status(UNKNOWN_CALLER, StatusCode::UNAUTHORIZED).into_response();
        }
        let begun = Instant::now();
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.plural() == plural) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let _span = tracing::debug_span!("validate", kind = kind.name()).entered();
        let answer = validate(kind, &body, &references);
        let (response, result) = answer.map_or_else(bad_request, |(review, result)| (json(&review), result));
        metrics.answered(kind.plural(), result, begun.elapsed());
        response
    });
    conversion.or(admission).unify().boxed()
}

/// The answer to the body of a ConversionReview, and how it went, in a word of the metrics.
///
/// # Errors
/// The body is no such review; the text says in what way.
pub fn convert(body: &[u8]) -> Result<(impl Serialize + use<>, &'static str), String> {
    read(body).and_then(conversion::answer)
}

/// The answer to the body of an AdmissionReview of an object of that kind, and how it went, in a word of the metrics.
///
/// # Errors
/// The body is no such review; the text says in what way.
pub fn validate(
    kind: Kind,
    body: &[u8],
    references: &References,
) -> Result<(impl Serialize + use<>, &'static str), String> {
    read(body).and_then(|review| validation::answer(kind, review, references))
}

/// What a stranger is told; an apiserver passes it on.
const UNKNOWN_CALLER: &str = "who asks for admission has to show a certificate of the authority in --client-ca; \
    give the apiserver one, as docs/gitops.md says";

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not a review: {error}"))
}

fn json(body: &impl Serialize) -> Response {
    reply::json(body).into_response()
}

fn bad_request(problem: impl Into<String>) -> (Response, &'static str) {
    (reply::with_status(problem.into(), StatusCode::BAD_REQUEST).into_response(), "bad_request")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::references::Objects;

    /// What both webhooks say of an agent whose spec is so deep.
    fn said(levels: usize) -> (Value, Result<Value, String>) {
        let innermost = (2..levels).fold(json!(1), |value, _| json!([value]));
        let object = json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": { "name": "a" },
            "spec": { "unknown": { "deep": innermost } },
        });
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": { "uid": "1", "operation": "CREATE", "object": object },
        });
        let references = References::new(Objects::default());
        let admitted = validate(Kind::Agent, review.to_string().as_bytes(), &references).map(|(answer, _)| answer);
        let admitted = serde_json::to_value(admitted.unwrap_or_else(|problem| panic!("{problem}"))).unwrap();
        let review = |desired: &str, objects: Value| {
            let request = json!({ "uid": "1", "desiredAPIVersion": desired, "objects": objects });
            let review =
                json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request });
            let (answer, _) = convert(review.to_string().as_bytes())?;
            Ok::<_, String>(serde_json::to_value(answer).unwrap()["response"]["convertedObjects"].take())
        };
        let there = review("komputer.komputer.ai/v1alpha1", json!([object]));
        let back = there.and_then(|there| review("komputer.komputer.ai/v1beta1", there));
        (admitted, back.inspect(|back| assert_eq!(*back, json!([object]))))
    }

    #[test]
    fn what_is_admitted_is_never_too_deep_to_be_converted() {
        let (admitted, converted) = said(64);
        assert_eq!((&admitted["response"]["allowed"], converted.is_ok()), (&json!(true), true));
        let (admitted, _) = said(65);
        let message = "spec: Forbidden: it is nested more than 64 levels deep; make it flatter";
        assert_eq!(admitted["response"]["status"]["message"], message);
    }
}
