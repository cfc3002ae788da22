//! A client of the api's WebSocket.
use anyhow::Context;
use futures::{SinkExt, StreamExt};
use komputer_events::Event;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

/// A socket that hears one agent.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens a socket at `api` (`HOST:PORT`), after `after` where given.
    ///
    /// # Errors
    /// The api refuses; [`refusal`] tells how.
    pub async fn open(
        api: &str,
        token: Option<&str>,
        namespace: &str,
        agent: &str,
        after: Option<&str>,
    ) -> Result<Self, tungstenite::Error> {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let url = format!("ws://{api}/api/v1/agents/{agent}/ws?namespace={namespace}{after}");
        let mut request = url.into_client_request()?;
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().map_err(tungstenite::http::Error::from)?;
            request.headers_mut().insert("authorization", value);
        }
        Ok(Self(connect_async(request).await?.0))
    }

    /// The next frame, or nothing where the api has closed the socket.
    ///
    /// # Errors
    /// The connection broke, or a frame is not JSON.
    pub async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            match self.0.next().await {
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Text(text))) => return Ok(Some(serde_json::from_str(&text)?)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("the socket broke"),
            }
        }
    }

    /// The next event.
    ///
    /// # Errors
    /// As [`Self::next`], or the frame is not an event.
    pub async fn event(&mut self) -> anyhow::Result<Option<Event>> {
        let Some(frame) = self.next().await? else { return Ok(None) };
        Ok(Some(Event::from_json(frame.to_string().as_bytes())?))
    }

    /// Closes the socket.
    pub async fn close(mut self) {
        self.0.send(Message::Close(None)).await.ok();
    }
}

/// The HTTP status with which the api refused a socket.
pub fn refusal(error: &tungstenite::Error) -> Option<u16> {
    match error {
        tungstenite::Error::Http(response) => Some(response.status().as_u16()),
        _ => None,
    }
}
