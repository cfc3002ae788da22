use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _, future::BoxFuture};
use komputer_events::Cursor;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::{
    Error as SocketError, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

use super::{
    Frame, Place,
    subscription::{Ended, Subscription},
    upgrade::Socket,
};
use crate::error::ApiError;

/// How patient a socket is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between pings; one that is not answered by the next ends the socket.
    pub ping: Duration,
    /// For a client to take what is written.
    pub write: Duration,
    /// For a client to take, and answer, the close frame.
    pub close: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { ping: Duration::from_secs(30), write: Duration::from_secs(10), close: Duration::from_secs(10) }
    }
}

/// Messages a client may send between two pings; none of them is of use.
const MESSAGES: u32 = 100;

/// One client's socket, from the handshake to its end.
pub struct Session {
    /// What the client gets.
    pub subscription: Subscription,
    /// Ends when the client may not have it any more.
    pub revoked: BoxFuture<'static, ApiError>,
    /// Ends when the process is to stop.
    pub shutdown: CancellationToken,
    /// The right to be open.
    pub place: Place,
    /// How patient it is.
    pub timing: Timing,
}

/// Why a socket ends.
#[derive(Debug)]
enum Ending {
    /// The client closed it, or is gone.
    Gone,
    /// The client did not answer a ping.
    Silent,
    /// The client could not keep up; it has everything up to here.
    Slow(Cursor),
    /// The client says more than it may.
    Chatty,
    /// The process stops.
    Stopping,
    /// The client may not have it any more.
    Revoked(ApiError),
}

impl Session {
    /// Serves the client until one side ends it.
    pub async fn run(self, mut socket: Socket) {
        let Self { subscription, revoked, shutdown, place: _place, timing } = self;
        let delivered = subscription.position();
        let mut client = Client { subscription, delivered, timing, silent: false, messages: 0 };
        let ending = tokio::select! {
            ending = client.serve(&mut socket) => ending,
            error = revoked => Ending::Revoked(error),
            () = shutdown.cancelled() => Ending::Stopping,
        };
        tracing::debug!(?ending, "socket ends");
        drop(client);
        if let Some(frame) = ending.frame() {
            close(&mut socket, frame, timing.close).await;
        }
    }
}

struct Client {
    subscription: Subscription,
    delivered: Cursor,
    timing: Timing,
    silent: bool,
    messages: u32,
}

impl Client {
    async fn serve(&mut self, socket: &mut Socket) -> Ending {
        let mut pings = interval_at(Instant::now() + self.timing.ping, self.timing.ping);
        loop {
            let served = tokio::select! {
                said = socket.next() => self.hear(said),
                _ = pings.tick() => self.ping(socket).await,
                frames = self.subscription.next() => match frames {
                    Ok(frames) => self.write(socket, frames).await,
                    Err(Ended::Overflow) => Err(Ending::Slow(self.delivered)),
                    Err(Ended::Stopped) => Err(Ending::Stopping),
                },
            };
            if let Err(ending) = served {
                return ending;
            }
        }
    }

    fn hear(&mut self, said: Option<Result<Message, SocketError>>) -> Result<(), Ending> {
        self.silent = false;
        self.messages += 1;
        match said {
            Some(Err(SocketError::Capacity(_))) => Err(Ending::Chatty),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Ending::Gone),
            Some(Ok(_)) if self.messages > MESSAGES => Err(Ending::Chatty),
            Some(Ok(_)) => Ok(()),
        }
    }

    async fn ping(&mut self, socket: &mut Socket) -> Result<(), Ending> {
        if self.silent {
            return Err(Ending::Silent);
        }
        (self.silent, self.messages) = (true, 0);
        self.send(socket.send(Message::Ping(Vec::new().into()))).await
    }

    async fn write(&mut self, socket: &mut Socket, frames: Vec<Frame>) -> Result<(), Ending> {
        for frame in frames {
            if self.subscription.overflowed() {
                return Err(Ending::Slow(self.delivered));
            }
            // What is handed over reaches the client before the close frame does, also where this waits in vain.
            self.delivered = self.delivered.max(frame.cursor);
            self.send(socket.feed(Message::Text(frame.text))).await?;
        }
        self.send(socket.flush()).await
    }

    async fn send(&self, sent: impl Future<Output = Result<(), SocketError>>) -> Result<(), Ending> {
        match timeout(self.timing.write, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Gone),
            Err(_) => Err(Ending::Slow(self.delivered)),
        }
    }
}

/// Says why, and gives the client time to hear it: closing a connection with unread data would lose what it has not
/// read yet.
async fn close(socket: &mut Socket, frame: CloseFrame, patience: Duration) {
    let farewell = async {
        socket.send(Message::Close(Some(frame))).await?;
        while let Some(said) = socket.next().await {
            said?;
        }
        Ok::<_, SocketError>(())
    };
    if let Ok(Err(error)) = timeout(patience, farewell).await {
        tracing::debug!(%error, "socket was not closed cleanly");
    }
}

impl Ending {
    /// What to tell the client, if it is still there.
    fn frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone | Self::Silent => return None,
            Self::Slow(cursor) => (CloseCode::Again, format!("slow: resume with ?after={cursor}")),
            Self::Chatty => (CloseCode::Policy, "too many or too large messages: this socket is for reading".into()),
            Self::Stopping => (CloseCode::Away, "server is shutting down: reconnect and resume".into()),
            Self::Revoked(error) => (revoked(error), error.to_string()),
        };
        Some(CloseFrame { code, reason: short(&reason).to_owned().into() })
    }
}

/// HTTP's codes, in the range RFC 6455 leaves to applications.
fn revoked(error: &ApiError) -> CloseCode {
    match error {
        ApiError::Unauthenticated(_) => CloseCode::Library(4401),
        ApiError::Forbidden(_) => CloseCode::Library(4403),
        _ => CloseCode::Again,
    }
}

/// A close frame has room for 123 bytes of reason (RFC 6455, section 5.5).
fn short(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(123)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_why_and_where_to_go_on() {
        let frame = Ending::Slow("1790000000123-4".parse().unwrap()).frame().unwrap();
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1013, "slow: resume with ?after=1790000000123-4"));
        assert_eq!(u16::from(Ending::Stopping.frame().unwrap().code), 1001);
        let code = |error| u16::from(Ending::Revoked(error).frame().unwrap().code);
        assert_eq!(code(ApiError::Unauthenticated(String::new())), 4401);
        assert_eq!(code(ApiError::Forbidden(String::new())), 4403);
        assert_eq!(code(ApiError::Unavailable(String::new())), 1013);
    }

    #[test]
    fn a_reason_fits_its_frame() {
        let frame = Ending::Revoked(ApiError::Forbidden("ä".repeat(200))).frame().unwrap();
        assert_eq!(frame.reason.len(), 122);
    }
}
