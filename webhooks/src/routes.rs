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

use crate::{metrics::Metrics, references::References};

/// `POST /convert` and `POST /validate/<plural>`.
pub fn routes(references: Arc<References>, metrics: Metrics) -> BoxedFilter<(Response,)> {
    let measured = metrics.clone();
    let convert = warp::path!("convert").and(warp::post()).and(warp::body::bytes()).map(move |body: Bytes| {
        let begun = Instant::now();
        let (response, result) = match read(&body) {
            Ok(review) => {
                conversion::answer(review).map_or_else(bad_request, |(review, result)| (json(&review), result))
            }
            Err(problem) => bad_request(problem),
        };
        measured.answered("convert", result, begun.elapsed());
        response
    });
    let validate = warp::path!("validate" / String).and(warp::post()).and(warp::body::bytes());
    let validate = validate.then(move |plural: String, body: Bytes| {
        let (references, metrics) = (references.clone(), metrics.clone());
        async move {
            let begun = Instant::now();
            let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.plural() == plural) else {
                return StatusCode::NOT_FOUND.into_response();
            };
            let (response, result) = match read(&body) {
                Ok(review) => match validation::answer(kind, review, &references).await {
                    Ok((review, result)) => (json(&review), result),
                    Err(problem) => bad_request(problem),
                },
                Err(problem) => bad_request(problem),
            };
            metrics.answered(kind.plural(), result, begun.elapsed());
            response
        }
    });
    convert.or(validate).unify().boxed()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not a review: {error}"))
}

fn json(body: &impl Serialize) -> Response {
    reply::json(body).into_response()
}

fn bad_request(problem: impl Into<String>) -> (Response, &'static str) {
    (reply::with_status(problem.into(), StatusCode::BAD_REQUEST).into_response(), "bad_request")
}
