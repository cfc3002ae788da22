use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};
use warp::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reply::Response,
};

use crate::{auth, error::ApiError};

/// A socket to a client.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Bytes of the largest message a client may send; what it says is not read.
const LARGEST_MESSAGE: usize = 4 * 1024;
/// Allocated for each socket at once, so small; clients say next to nothing.
const READ_BUFFER: usize = 1024;
/// Bytes of frames that are gathered before they are written.
const WRITE_BUFFER: usize = 16 * 1024;
/// Bytes that may wait to be written: one largest frame on top of a full buffer.
const LARGEST_BACKLOG: usize = 1024 * 1024;

/// A request to become a socket.
///
/// The handshake is ours and not warp's, whose sockets each hold a read buffer of 128 KiB.
pub struct Upgrade {
    accept: HeaderValue,
    protocol: bool,
    connection: OnUpgrade,
}

impl Upgrade {
    /// Reads the handshake of RFC 6455, section 4.2.1.
    ///
    /// # Errors
    /// [`ApiError::NotAnUpgrade`] where it is none, [`ApiError::Request`] where the client offers subprotocols but not
    /// ours.
    pub fn read(headers: &HeaderMap, connection: Option<OnUpgrade>) -> Result<Self, ApiError> {
        let holds = |name, wanted: &str| {
            let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(wanted))
        };
        let asked = holds(header::CONNECTION, "upgrade")
            && holds(header::UPGRADE, "websocket")
            && holds(header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked);
        let (Some(key), Some(connection)) = (key, connection) else { return Err(ApiError::NotAnUpgrade) };
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| ApiError::NotAnUpgrade)?;
        let protocol = auth::subprotocols(headers).any(|offered| offered == auth::SUBPROTOCOL);
        if !protocol && headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
            let problem = format!("none of the offered subprotocols is known; offer {} too", auth::SUBPROTOCOL);
            return Err(ApiError::Request(problem));
        }
        Ok(Self { accept, protocol, connection })
    }

    /// The answer that makes the connection a socket, and the socket once the answer is sent.
    pub fn accept(self) -> (Response, impl Future<Output = Option<Socket>>) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if self.protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(auth::SUBPROTOCOL));
        }
        let connection = self.connection;
        let socket = async move {
            let upgraded =
                connection.await.inspect_err(|error| tracing::debug!(%error, "no socket came of it")).ok()?;
            Some(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config())).await)
        };
        (response, socket)
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(LARGEST_BACKLOG)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
}
