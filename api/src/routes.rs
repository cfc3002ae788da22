//! Which path is answered by what.
use std::{convert::Infallible, time::Instant};

use hyper::upgrade::OnUpgrade;
use komputer_crds::v1beta1::{KomputerAgent, KomputerBudget, KomputerSquad, KomputerTask};
use serde_json::json;
use tracing::Instrument as _;
use warp::{
    Filter, Rejection, Reply,
    filters::BoxedFilter,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reject::{InvalidQuery, MethodNotAllowed},
    reply::{Response, with_status},
};

use crate::{
    api::Api,
    error::ApiError,
    query::Query,
    resources::{self, Readable, events, namespaces, sockets},
};

/// Every route. What matches none of them is answered with a JSON error too.
pub fn routes(api: &Api) -> BoxedFilter<(Response,)> {
    let resources = objects::<KomputerAgent>(api)
        .or(agent_events(api))
        .unify()
        .or(agent_socket(api))
        .unify()
        .or(objects::<KomputerTask>(api))
        .unify()
        .or(objects::<KomputerSquad>(api))
        .unify()
        .or(objects::<KomputerBudget>(api))
        .unify()
        .or(all_namespaces(api))
        .unify();
    let served = warp::path!("api" / "v1" / ..).and(resources).or(health(api)).unify();
    warp::get().and(served).recover(explain).unify().map(private).boxed()
}

/// `/{plural}` and `/{plural}/{name}`.
fn objects<K: Readable>(api: &Api) -> BoxedFilter<(Response,)> {
    let list = warp::path(K::PLURAL)
        .and(warp::path::end())
        .and(request(api))
        .then(|api: Api, headers, query| counted(api.clone(), K::PLURAL, resources::list::<K>(api, headers, query)));
    let get = warp::path(K::PLURAL).and(warp::path::param()).and(warp::path::end()).and(request(api)).then(
        |name, api: Api, headers, query| {
            counted(api.clone(), K::SINGULAR, resources::get::<K>(api, headers, query, name))
        },
    );
    list.or(get).unify().boxed()
}

fn agent_events(api: &Api) -> BoxedFilter<(Response,)> {
    warp::path!("agents" / String / "events")
        .and(request(api))
        .then(|name, api: Api, headers, query| {
            counted(api.clone(), "agent/events", events::list(api, headers, query, name))
        })
        .boxed()
}

fn agent_socket(api: &Api) -> BoxedFilter<(Response,)> {
    warp::path!("agents" / String / "ws")
        .and(request(api))
        .and(warp::ext::optional::<OnUpgrade>())
        .then(|name, api: Api, headers, query, connection| {
            counted(api.clone(), "agent/ws", sockets::open(api, headers, query, name, connection))
        })
        .boxed()
}

fn all_namespaces(api: &Api) -> BoxedFilter<(Response,)> {
    warp::path!("namespaces")
        .and(request(api))
        .then(|api: Api, headers, _query| counted(api.clone(), "namespaces", namespaces::list(api, headers)))
        .boxed()
}

/// `/healthz`: the process runs. `/readyz`: it knows the cluster, and is not about to stop.
fn health(api: &Api) -> BoxedFilter<(Response,)> {
    let api = api.clone();
    let alive = warp::path!("healthz").map(|| warp::reply::json(&json!({ "status": "ok" })).into_response());
    let ready = warp::path!("readyz").map(move || readiness(&api));
    alive.or(ready).unify().boxed()
}

fn readiness(api: &Api) -> Response {
    let failing = api.health.failing();
    if failing.is_empty() {
        return warp::reply::json(&json!({ "status": "ready" })).into_response();
    }
    let body = warp::reply::json(&json!({ "status": "not ready", "failing": failing }));
    with_status(body, StatusCode::SERVICE_UNAVAILABLE).into_response()
}

/// What one caller may read is not for another, nor for a browser to take for a page.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What every handler gets.
fn request(api: &Api) -> impl Filter<Extract = (Api, HeaderMap, Query), Error = Rejection> + Clone + use<> {
    let api = api.clone();
    warp::any()
        .map(move || api.clone())
        .and(warp::header::headers_cloned())
        .and(warp::query::<Vec<(String, String)>>().map(Query::from))
}

async fn counted(api: Api, route: &'static str, answer: impl Future<Output = Result<Response, ApiError>>) -> Response {
    let asked = Instant::now();
    let answer = answer.instrument(tracing::debug_span!("answer", route));
    let response = answer.await.unwrap_or_else(Reply::into_response);
    api.metrics.answered(route, response.status(), asked.elapsed());
    response
}

async fn explain(rejection: Rejection) -> Result<Response, Infallible> {
    let error = if rejection.find::<InvalidQuery>().is_some() {
        ApiError::Request("the query cannot be read; expected NAME=VALUE pairs, percent-encoded, joined by &".into())
    } else if rejection.find::<MethodNotAllowed>().is_some() {
        ApiError::Method
    } else {
        ApiError::NotFound("no such path; resources are under /api/v1, like /api/v1/agents".into())
    };
    Ok(error.into_response())
}
