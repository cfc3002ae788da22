//! How this process serves HTTP: a bounded number of connections, and none that waits for ever.
use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How long a client may take to send a request's head, and then its body.
const READ: Duration = Duration::from_secs(30);
/// Bytes beyond a limit that are read and thrown away.
const DISCARDED: usize = 8 << 20;
/// How long to wait after the operating system refused a connection, as it does when files run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until `stop`; requests under way are not waited for.
pub(crate) async fn serve<H, F>(listener: TcpListener, connections: usize, stop: CancellationToken, handle: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(connections));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept(&listener, &room) => accepted,
        };
        let Ok((stream, permit)) = accepted else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let handle = handle.clone();
        let service = service_fn(move |request| {
            let response = handle(request);
            async move { Ok::<_, Infallible>(response.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(READ)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            drop(permit);
        });
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, permit))
}

/// Why a request's body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the body did not come within {READ:?}")]
    TooSlow,
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// The whole body, if it is not longer than `limit` bytes.
pub(crate) async fn read(body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    tokio::time::timeout(READ, read_up_to(body, limit)).await.map_err(|_| BodyError::TooSlow)?
}

/// A client that sends too much has to come to its end, or it does not see the answer; up to [`DISCARDED`] bytes.
async fn read_up_to(mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let (mut whole, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if length <= limit {
            whole.extend_from_slice(data);
        } else if length > limit + DISCARDED {
            break;
        }
    }
    if length > limit { Err(BodyError::TooLong(limit)) } else { Ok(whole.freeze()) }
}

/// A body in one piece.
pub(crate) fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}
