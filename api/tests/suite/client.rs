//! Clients of the api.
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::Response},
};

const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    token: Option<String>,
}

/// Status, headers and JSON of an answer.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Client {
    pub fn new(address: &str, token: Option<&str>) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { http, address: address.to_owned(), token: token.map(str::to_owned) }
    }

    /// Asks for a path under `/api/v1`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("http://{}/api/v1/{path}", self.address))).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.send(self.http.post(format!("http://{}/api/v1/{path}", self.address))).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Answer {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.json().await.unwrap_or_default() }
    }

    /// The status of a path, if anybody answers.
    pub async fn status(&self, path: &str) -> Option<u16> {
        let response = self.http.get(format!("http://{}{path}", self.address)).send().await.ok()?;
        Some(response.status().as_u16())
    }

    pub async fn socket(&self, path: &str) -> Result<Socket, Response<Option<Vec<u8>>>> {
        let headers = self.token.iter().map(|token| ("authorization", format!("Bearer {token}"))).collect();
        open(&self.address, path, headers).await.map(|(socket, _)| socket)
    }

    /// As a browser does, which cannot set headers. Also tells the subprotocol that the server chose.
    pub async fn browser_socket(
        &self,
        path: &str,
        protocols: &str,
    ) -> Result<(Socket, String), Response<Option<Vec<u8>>>> {
        let headers = vec![("sec-websocket-protocol", protocols.to_owned())];
        open(&self.address, path, headers).await
    }
}

async fn open(
    address: &str,
    path: &str,
    headers: Vec<(&'static str, String)>,
) -> Result<(Socket, String), Response<Option<Vec<u8>>>> {
    let mut request = format!("ws://{address}/api/v1/{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, response)) => {
            let protocol = response.headers().get("sec-websocket-protocol");
            let protocol = protocol.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
            Ok((Socket(socket), protocol))
        }
        Err(Error::Http(response)) => Err(*response),
        Err(error) => panic!("no HTTP answer: {error}"),
    }
}

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The next text frame, or the code and reason the server closed with.
    pub async fn next(&mut self) -> Result<String, (u16, String)> {
        let said = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                    Some(Ok(Message::Close(Some(close)))) => return Err((close.code.into(), close.reason.to_string())),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => return Err((0, format!("{other:?}"))),
                }
            }
        };
        timeout(PATIENCE, said).await.expect("nothing is said")
    }

    /// The next text frames.
    pub async fn take(&mut self, count: usize) -> Vec<String> {
        let mut frames = Vec::with_capacity(count);
        while frames.len() < count {
            frames.push(self.next().await.expect("the socket was closed"));
        }
        frames
    }

    /// What the server closes with, after whatever it says before.
    pub async fn end(&mut self) -> (u16, String) {
        loop {
            if let Err(close) = self.next().await {
                return close;
            }
        }
    }

    pub async fn say(&mut self, message: Message) {
        self.0.send(message).await.ok();
    }
}
