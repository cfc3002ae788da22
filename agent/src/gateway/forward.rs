//! Passes a call on to the model's API, with the real key, and its answer back, byte for byte as it comes.
use std::{io, time::Duration};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    Method, Response, StatusCode,
    body::Frame,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    http::request::Parts,
};
use reqwest::Url;
use secrecy::ExposeSecret as _;

use super::{LIMIT, desk::Call, meter::Meter, refusal::Refusal};
use crate::{
    config::ModelAccess,
    http::{self, Body},
};

/// Tells Claude Code whether trying again can help.
pub(super) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

const CONNECT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer; the API itself gives up on an answer in one piece after ten minutes.
const READ: Duration = Duration::from_mins(10);

/// A client of the model's API.
#[derive(Debug)]
pub(super) struct Forwarder {
    client: reqwest::Client,
    access: ModelAccess,
}

impl Forwarder {
    pub(super) fn new(access: ModelAccess) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { client, access })
    }

    pub(super) async fn forward(&self, head: Parts, body: Bytes, call: Call) -> Result<Response<Body>, Refusal> {
        let key = self.access.key.as_ref().ok_or(Refusal::NoKey)?;
        let mut key = HeaderValue::from_str(key.expose_secret()).map_err(|_| Refusal::NoKey)?;
        key.set_sensitive(true);
        let is_metered = head.method == Method::POST && head.uri.path() == super::MESSAGES;
        let url = self.url(head.uri.path(), head.uri.query());
        let upstream = self
            .client
            .request(head.method, url)
            .headers(passed_on(&head.headers))
            .header(API_KEY, key)
            .body(body)
            .send();
        let answer = tokio::select! {
            answer = upstream => answer.map_err(|error| Refusal::Unreachable(described(&error)))?,
            () = call.cut() => return Err(Refusal::NoTask),
        };
        pass_back(answer, call, is_metered).await
    }

    fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.access.base_url.clone();
        url.set_path(&format!("{}{path}", self.access.base_url.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}

async fn pass_back(answer: reqwest::Response, call: Call, is_metered: bool) -> Result<Response<Body>, Refusal> {
    let status = answer.status();
    let mut headers = passed_on(answer.headers());
    if status == StatusCode::UNAUTHORIZED {
        // Claude Code would try a wrong key ten times.
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    let is_stream =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let is_charged = is_metered && status.is_success();
    let body = match (is_charged, is_stream) {
        (true, false) => whole(answer, &call).await?,
        (is_charged, _) => passing(answer, call, is_charged),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// An answer in one piece is charged before anybody sees it.
async fn whole(mut answer: reqwest::Response, call: &Call) -> Result<Body, Refusal> {
    let mut json = Vec::new();
    loop {
        let chunk = tokio::select! {
            chunk = answer.chunk() => chunk.map_err(|error| Refusal::Unreachable(described(&error)))?,
            () = call.cut() => return Err(Refusal::NoTask),
        };
        let Some(chunk) = chunk else { break };
        json.extend_from_slice(&chunk);
        if json.len() > LIMIT {
            return Err(Refusal::Unreachable(format!("its answer is longer than {LIMIT} bytes")));
        }
    }
    for charge in Meter::default().message(&json) {
        call.charge(charge).map_err(|error| Refusal::Uncharged(error.to_string()))?;
    }
    Ok(http::full(json))
}

/// An answer that passes by; each piece is charged before it is passed on.
struct Passing {
    answer: reqwest::Response,
    call: Call,
    meter: Option<Meter>,
}

fn passing(answer: reqwest::Response, call: Call, is_charged: bool) -> Body {
    let passing = Passing { answer, call, meter: is_charged.then(Meter::default) };
    let chunks = stream::try_unfold(passing, |mut passing| async move {
        Ok(passing.next().await?.map(|chunk| (Frame::data(chunk), passing)))
    });
    StreamBody::new(chunks).boxed_unsync()
}

impl Passing {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = tokio::select! {
            biased;
            () = self.call.cut() => return Err(io::Error::other("the task has ended")),
            chunk = self.answer.chunk() => chunk.map_err(io::Error::other)?,
        };
        if let (Some(meter), Some(chunk)) = (&mut self.meter, &chunk) {
            for charge in meter.stream(chunk) {
                self.call.charge(charge).map_err(io::Error::other)?;
            }
        }
        Ok(chunk)
    }
}

/// Headers that belong to one connection, or to the key, stay behind.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let stays = [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        // What is compressed cannot be metered.
        header::ACCEPT_ENCODING,
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        API_KEY,
    ];
    let passed = headers.iter().filter(|(name, _)| !stays.contains(name));
    passed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// With its causes: the error itself only says that sending failed.
fn described(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
