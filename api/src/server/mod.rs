//! Serves routes over HTTP/1.1 with limits on everything, and drains when told to stop.
mod stall;

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Limited;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;
use warp::{filters::BoxedFilter, http::Request, reply::Response};

use self::stall::Stalling;

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections, sockets not counted; more wait to be accepted.
    pub connections: usize,
    /// For a client to send a request's line and headers, and between two requests.
    pub header_read: Duration,
    /// Bytes of a request's line and headers.
    pub header_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// For a client to take at least something of its answer.
    pub write: Duration,
    /// For requests to be answered once the process is to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            header_read: Duration::from_secs(30),
            write: Duration::from_secs(30),
            header_bytes: 64 * 1024,
            body_bytes: 64 * 1024,
            drain: Duration::from_secs(20),
        }
    }
}

/// Accepts connections until `shutdown`, then finishes what is being answered.
pub async fn serve(
    listener: TcpListener,
    routes: BoxedFilter<(Response,)>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    while let Some((stream, slot)) = accept(&listener, &slots, &shutdown).await {
        while connections.try_join_next().is_some() {}
        connections.spawn(answer(stream, routes.clone(), limits, graceful.watcher(), slot));
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests took too long to finish and are dropped");
    }
    connections.shutdown().await;
}

/// The next connection and its slot; nothing once `shutdown` is cancelled.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let next = async {
        let slot = slots.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, slot)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(next).await.flatten()
}

/// Where a process is out of file descriptors, accepting fails at once and would spin.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

async fn answer(
    stream: TcpStream,
    routes: BoxedFilter<(Response,)>,
    limits: Limits,
    watcher: Watcher,
    _slot: OwnedSemaphorePermit,
) {
    // Events are small and are to leave at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let stream = TokioIo::new(Stalling::new(stream, limits.write));
    let routes = warp::service(routes);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut routes = routes.clone();
        async move {
            let request = request.map(|body| Limited::new(body, limits.body_bytes));
            routes.call(request).await.map_err(|never: Infallible| never)
        }
    });
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_read).max_buf_size(limits.header_bytes);
    if let Err(error) = watcher.watch(http.serve_connection_with_upgrades(stream, service)).await {
        tracing::debug!(%error, "connection ended with an error");
    }
}
