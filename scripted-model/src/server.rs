use std::{convert::Infallible, io, path::PathBuf, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{ledger::Ledger, model::Model, routes};

const MAX_CONNECTIONS: usize = 8192;
/// Also how long a connection may idle between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_mins(2);
/// How long answers in flight may take to end after the shutdown began.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait when the system has no more file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the model is run.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// API keys that are answered with 401.
    pub rejected_keys: Vec<String>,
    /// A file of ledger entries, one JSON document a line, to go on from and append to.
    pub ledger: Option<PathBuf>,
}

/// Serves the model on `listener` until `shutdown` completes, and then at most five seconds more.
///
/// # Errors
/// Where the ledger file cannot be read or written.
pub async fn serve(listener: TcpListener, config: Config, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let ledger = config.ledger.as_deref().map(Ledger::open).transpose()?.unwrap_or_default();
    let model = Arc::new(Model::new(ledger, config.rejected_keys));
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let model = model.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let model = model.clone();
            async move { Ok::<_, Infallible>(routes::answer(&model, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), answer);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await.is_err() {
        tracing::info!("answers still in flight were cut off");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "small writes will be delayed");
            }
            Some((stream, place))
        }
        Err(error) => {
            tracing::warn!(%error, "connection not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
