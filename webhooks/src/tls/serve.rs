use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use http_body_util::Limited;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;
use warp::{Reply, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::Caller;

/// How long to wait when the system has no more file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For the head of an HTTP/1.1 request.
    pub head: Duration,
    /// Bytes of a body, whether it says its length or not.
    pub body: usize,
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// For requests under way when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(5),
            body: 32 * 1024 * 1024,
            connections: 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves `routes` on `listener`, each request with its [`Caller`] as an extension, until `shutdown` completes and the requests under way are answered.
pub async fn serve<R: Reply + 'static>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    routes: BoxedFilter<(R,)>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        if let Some((stream, place)) = accepted {
            let (acceptor, routes, watcher) = (acceptor.clone(), routes.clone(), graceful.watcher());
            connections.spawn(async move {
                connection(stream, acceptor, routes, watcher, limits).await;
                drop(place);
            });
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests are still under way, closing their connections");
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "connection not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection<R: Reply + 'static>(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    routes: BoxedFilter<(R,)>,
    watcher: Watcher,
    limits: Limits,
) {
    // An answer's end is not to wait until its beginning has been confirmed.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let stream = match tokio::time::timeout(limits.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => return tracing::debug!("TLS handshake took too long"),
    };
    let caller = Caller::of(stream.get_ref().1);
    let service = warp::service(routes);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut service = service.clone();
        // warp's own limit reads a header, which chunked bodies do not have.
        let mut request = request.map(|body| Limited::new(body, limits.body));
        request.extensions_mut().insert(caller);
        async move { Ok::<_, Infallible>(answer(service.call(request)).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        // A list to be converted comes in few pieces, and not in hundreds that are each waited for.
        .max_frame_size(1 << 20)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .max_send_buf_size(4 << 20)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(20));
    if let Err(error) = watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await {
        tracing::debug!(%error, "connection broke");
    }
}

/// A request that panics costs its own answer, not those of the others on its connection.
async fn answer(response: impl Future<Output = Result<Response, Infallible>>) -> Response {
    match AssertUnwindSafe(response).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
