use std::{io::Read as _, time::Duration};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};
use serde_json::{Value, json};

use crate::{
    accounting::prompt_tokens,
    model::{Model, NoAnswer},
    request::MessagesRequest,
    script::error_kind,
    stream::{Body, full, played},
};

const MAX_BODY: usize = 32 * 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_mins(1);
const MODELS: [&str; 3] = ["claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5"];

/// An error in the shape of the Messages API.
struct Refusal {
    status: u16,
    kind: String,
    message: String,
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, kind: error_kind(status).into(), message: message.into() }
    }
}

impl From<NoAnswer> for Refusal {
    fn from(reason: NoAnswer) -> Self {
        let message = reason.to_string();
        match reason {
            NoAnswer::BadScript(_) => Self::new(400, message),
            NoAnswer::Scripted { status, kind } => Self { status, kind, message },
        }
    }
}

/// Answers any request; every response says that it is scripted.
pub(crate) async fn answer(model: &Model, request: Request<Incoming>) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = route(model, request).await.unwrap_or_else(|refusal| refused(&refusal));
    tracing::debug!(%method, path, status = response.status().as_u16(), "answered");
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-komputer-scripted"), HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::try_from(format!("req_scripted_{}", model.next_id())) {
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    response
}

async fn route(model: &Model, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::HEAD || path == "/healthz" {
        return Ok(ok(&json!({"status": "ok"})));
    }
    if path.starts_with("/v1/") {
        check_key(request.headers(), &model.rejected_keys)?;
    }
    if path == "/mcp" {
        check_key(request.headers(), &model.rejected_keys)?;
        return Ok(model.tools.answer(request).await);
    }
    match (request.method().as_str(), path.as_str()) {
        ("POST", "/v1/messages") => messages(model, &parsed(request).await?),
        ("POST", "/v1/messages/count_tokens") => {
            Ok(ok(&json!({"input_tokens": prompt_tokens(&parsed(request).await?)})))
        }
        ("POST", "/oauth/token") => refreshed(model, request).await,
        ("GET", "/v1/models") => {
            let data: Vec<_> = MODELS.iter().map(|id| about(id)).collect();
            Ok(ok(&json!({"data": data, "has_more": false, "first_id": MODELS[0], "last_id": MODELS[2]})))
        }
        ("GET", "/ledger/scripts") => Ok(ok(&model.ledger.scripts())),
        ("GET", "/ledger") => {
            let query = request.uri().query().unwrap_or_default();
            let script = query.split('&').find_map(|pair| pair.strip_prefix("script="));
            Ok(ok(&model.ledger.report(script)))
        }
        ("GET", path) if path.starts_with("/v1/models/") => Ok(ok(&about(&path["/v1/models/".len()..]))),
        (method, path) => Err(Refusal::new(404, format!("Not found: {method} {path}"))),
    }
}

fn messages(model: &Model, request: &MessagesRequest) -> Result<Response<Body>, Refusal> {
    let (answer, bill) = model.reply(request)?;
    let (content_type, acts) = if request.stream {
        ("text/event-stream; charset=utf-8", answer.events())
    } else {
        ("application/json", answer.whole())
    };
    let mut response = Response::new(played(acts, bill));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Refusals are in the words of <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>.
async fn refreshed(model: &Model, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let form = read(body).await?;
    let query = parts.uri.query().unwrap_or_default();
    Ok(match model.logins.answer(query, &parts.headers, &String::from_utf8_lossy(&form)) {
        Ok(given) => ok(&given),
        Err(error) => {
            let mut response = ok(&json!({"error": error}));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    })
}

/// A key is any `x-api-key` or bearer token.
pub(crate) fn key(headers: &HeaderMap) -> Option<&str> {
    let text =
        |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).filter(|key| !key.is_empty());
    let bearer = text(&AUTHORIZATION).map(|value| value.strip_prefix("Bearer ").unwrap_or(value));
    text(&HeaderName::from_static("x-api-key")).or(bearer)
}

/// A key must not be one of `rejected`.
fn check_key(headers: &HeaderMap, rejected: &[String]) -> Result<(), Refusal> {
    match key(headers) {
        None => Err(Refusal::new(401, "x-api-key header is required")),
        Some(key) if rejected.iter().any(|bad| bad == key) => Err(Refusal::new(401, "invalid x-api-key")),
        Some(_) => Ok(()),
    }
}

async fn parsed(request: Request<Incoming>) -> Result<MessagesRequest, Refusal> {
    let is_gzip = request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let body = read(request.into_body()).await?;
    let body = if is_gzip { unzipped(&body)? } else { body };
    serde_json::from_slice(&body)
        .map_err(|error| Refusal::new(400, format!("the body is no Messages API request: {error}")))
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await;
    let body = body.map_err(|_| Refusal::new(408, "the request's body did not arrive within 60 seconds"))?;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            too_large()
        } else {
            Refusal::new(400, format!("the request's body broke off: {error}"))
        }
    })?;
    Ok(body.to_bytes())
}

fn unzipped(body: &[u8]) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    let read = GzDecoder::new(body).take(MAX_BODY as u64 + 1).read_to_end(&mut plain);
    match read {
        Err(error) => Err(Refusal::new(400, format!("the body is not gzip, as its content-encoding says: {error}"))),
        Ok(length) if length > MAX_BODY => Err(too_large()),
        Ok(_) => Ok(plain.into()),
    }
}

fn too_large() -> Refusal {
    Refusal::new(413, "the request is larger than 32 MiB")
}

fn about(id: &str) -> Value {
    json!({
        "type": "model",
        "id": id,
        "display_name": id,
        "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    })
}

fn ok(body: &Value) -> Response<Body> {
    let mut response = Response::new(full(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let Refusal { status, kind, message } = refusal;
    let mut response = ok(&json!({"type": "error", "error": {"type": kind, "message": message}}));
    *response.status_mut() = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if matches!(status, 429 | 529) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
