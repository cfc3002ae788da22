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
    let convert = warp::path!("convert").and(warp::post()).and(warp::body::bytes()).map(move |body: Bytes| {
        let begun = Instant::now();
        let answer = read(&body).and_then(conversion::answer);
        let (response, result) = answer.map_or_else(bad_request, |(review, result)| (json(&review), result));
        measured.answered("convert", result, begun.elapsed());
        response
    });
    let validate =
        warp::path!("validate" / String).and(warp::post()).and(warp::ext::optional()).and(warp::body::bytes());
    let validate = validate.map(move |plural: String, caller: Option<Caller>, body: Bytes| {
        if admits == Admits::Verified && caller != Some(Caller::Verified) {
            return reply::with_status(UNKNOWN_CALLER, StatusCode::UNAUTHORIZED).into_response();
        }
        let begun = Instant::now();
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.plural() == plural) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let answer = read(&body).and_then(|review| validation::answer(kind, review, &references));
        let (response, result) = answer.map_or_else(bad_request, |(review, result)| (json(&review), result));
        metrics.answered(kind.plural(), result, begun.elapsed());
        response
    });
    convert.or(validate).unify().boxed()
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
