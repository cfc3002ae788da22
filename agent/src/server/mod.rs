//! What the operator and the API say to the agent.
mod routes;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use hyper::{Request, Response, body::Incoming, header};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    connectors::Connectors,
    http,
    http::Body,
    journal::Journal,
    knowledge::Known,
    office::Requests,
    secret,
    tasks::{Allowances, Queue},
};

/// Connections at a time.
const CONNECTIONS: usize = 64;

/// The agent's HTTP server.
pub(crate) struct Server {
    queue: Arc<Queue>,
    journal: Arc<Journal>,
    known: Arc<Known>,
    requests: Arc<Requests>,
    allowances: Arc<Allowances>,
    connectors: Arc<Connectors>,
    token: SecretString,
}

impl Server {
    pub(crate) fn new(
        queue: Arc<Queue>,
        journal: Arc<Journal>,
        known: Arc<Known>,
        requests: Arc<Requests>,
        allowances: Arc<Allowances>,
        connectors: Arc<Connectors>,
        token: SecretString,
    ) -> Self {
        Self { queue, journal, known, requests, allowances, connectors, token }
    }

    /// Starts serving; gives the address.
    pub(crate) async fn start(self, listen: SocketAddr, stop: CancellationToken) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let server = Arc::new(self);
        tokio::spawn(http::serve(listener, CONNECTIONS, stop, move |request| {
            let server = server.clone();
            async move { server.answer(request).await }
        }));
        Ok(address)
    }

    fn is_allowed(&self, request: &Request<Incoming>) -> bool {
        let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        presented
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| secret::matches(token, &self.token))
    }
}

type Answer = Response<Body>;
