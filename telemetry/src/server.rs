use std::{collections::VecDeque, convert::Infallible, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

use crate::{Health, Registry};

/// Probes and scrapers are few. One more ends the oldest, so that no crowd of silent clients keeps a probe out.
const MAX_CONNECTIONS: usize = 64;
/// For one request and its answer, after which the connection is closed.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEAD: usize = 16 * 1024;
/// How long to wait when the system has no more file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/healthz`, `/readyz` and `/metrics` on `address` until `shutdown` completes.
///
/// A connection carries one request and lasts ten seconds at most; the newest 64 are served.
///
/// # Errors
/// Where `address` cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    health: Health,
    registry: Registry,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot serve health and metrics on {address}: {error}"))
    })?;
    tracing::info!(address = %listener.local_addr()?, "serving /healthz, /readyz and /metrics");
    tokio::select! {
        () = accept(listener, &health, &registry) => {}
        () = shutdown => {}
    }
    Ok(())
}

async fn accept(listener: TcpListener, health: &Health, registry: &Registry) {
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.retain(|connection| !connection.is_finished());
                if connections.len() == MAX_CONNECTIONS {
                    connections.pop_front().as_ref().map(AbortHandle::abort);
                }
                let served = connection(stream, health.clone(), registry.clone());
                connections.push_back(tokio::spawn(served).abort_handle());
            }
            Err(error) => {
                tracing::warn!(%error, "connection for health or metrics not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, health: Health, registry: Registry) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &health, &registry);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "connection for health or metrics broke"),
        Err(_) => tracing::debug!("connection for health or metrics took too long"),
    }
}

fn answer(method: &Method, path: &str, health: &Health, registry: &Registry) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, JSON, json!({"error": "only GET and HEAD are served here"}));
    }
    match path {
        "/healthz" => response(StatusCode::OK, JSON, json!({"status": "ok"})),
        "/readyz" => ready(health),
        "/metrics" => match registry.encoded() {
            Ok(text) => response(StatusCode::OK, OPEN_METRICS, text),
            Err(error) => {
                tracing::error!(%error, "metrics cannot be encoded: a collector fails");
                response(StatusCode::INTERNAL_SERVER_ERROR, JSON, json!({"error": "metrics cannot be encoded"}))
            }
        },
        _ => response(
            StatusCode::NOT_FOUND,
            JSON,
            json!({"error": "only /healthz, /readyz and /metrics are served here"}),
        ),
    }
}

fn ready(health: &Health) -> Response<Full<Bytes>> {
    let failing = health.failing();
    if failing.is_empty() {
        response(StatusCode::OK, JSON, json!({"status": "ready"}))
    } else {
        response(StatusCode::SERVICE_UNAVAILABLE, JSON, json!({"status": "not ready", "failing": failing}))
    }
}

fn response(status: StatusCode, content_type: &'static str, body: impl ToString) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
