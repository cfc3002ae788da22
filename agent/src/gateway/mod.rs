//! The way to the model: the key stays in this process, Claude Code gets a token that opens nothing but this gateway.
mod desk;
mod forward;
mod meter;
mod prices;
mod refusal;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context as _;
use hyper::{Method, Request, Response, body::Incoming, header};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use desk::Desk;
use forward::Forwarder;
use refusal::Refusal;

use crate::{config::ModelAccess, http, http::Body, secret};

/// The call that costs something.
const MESSAGES: &str = "/v1/messages";
/// Bytes of a request, and of an answer that does not come as a stream.
const LIMIT: usize = 32 << 20;
/// Connections of Claude Code at a time.
const CONNECTIONS: usize = 64;

/// Listens on loopback, for one pod's agent.
#[derive(Debug)]
pub(crate) struct Gateway {
    desk: Arc<Desk>,
    forwarder: Forwarder,
    token: SecretString,
}

impl Gateway {
    /// Starts serving, for as long as the process lives; gives the address.
    pub(crate) async fn start(access: ModelAccess, token: SecretString, desk: Arc<Desk>) -> anyhow::Result<SocketAddr> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("the gateway cannot listen on loopback")?;
        let address = listener.local_addr().map_err(io::Error::other)?;
        let forwarder = Forwarder::new(access).context("the gateway's HTTP client cannot be set up")?;
        let gateway = Arc::new(Self { desk, forwarder, token });
        tokio::spawn(http::serve(listener, CONNECTIONS, CancellationToken::new(), move |request| {
            let gateway = gateway.clone();
            async move { gateway.answer(request).await.unwrap_or_else(|refusal| refusal.response()) }
        }));
        Ok(address)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        if !presented(&request).is_some_and(|token| secret::matches(token, &self.token)) {
            return Err(Refusal::WrongToken);
        }
        let path = request.uri().path();
        if !is_open(path) {
            return Err(Refusal::Path(path.to_owned()));
        }
        let costs_something = request.method() == Method::POST && path == MESSAGES;
        // Read first: of a caller that goes away while it waits, hyper learns only then.
        let (head, body) = request.into_parts();
        let body = http::read(body, LIMIT).await?;
        let call = self.desk.admit(costs_something).await?;
        self.forwarder.forward(head, body, call).await
    }
}

fn presented(request: &Request<Incoming>) -> Option<&str> {
    let text = |name: &str| request.headers().get(name)?.to_str().ok();
    text("x-api-key").or_else(|| text(header::AUTHORIZATION.as_str())?.strip_prefix("Bearer "))
}

/// Dots could lead out of what is open.
fn is_open(path: &str) -> bool {
    let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_plain = !path.contains("..") && !path.contains('%');
    is_plain && (below(MESSAGES) || below("/v1/models"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_and_models_are_open() {
        for open in ["/v1/messages", "/v1/messages/count_tokens", "/v1/models", "/v1/models/claude-sonnet-4-6"] {
            assert!(is_open(open), "{open}");
        }
        for closed in ["/", "/v1", "/v1/messagesx", "/v1/files", "/v1/messages/../files", "/v1/messages/%2e%2e/files"] {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
