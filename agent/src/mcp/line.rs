//! The connection to a connector's server: made when it is used, and made again after it broke.
use std::{error::Error, fmt::Write as _, time::Duration};

use reqwest::{Client, redirect::Policy};
use rmcp::{
    Peer, RoleClient, ServiceError, ServiceExt as _,
    model::{ClientCapabilities, ClientConfig, Implementation},
    service::RunningService,
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use tokio::{sync::Mutex, time::timeout};

use super::{
    hide::Hidden,
    keyed::{KeyedClient, header},
};
use crate::connectors::Logins;

/// Bytes of one answer of a server; a longer one is refused.
const ANSWER: usize = 4 << 20;
/// Bytes of what a server says of an error.
const ERROR: usize = 4 << 10;

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Away {
    #[error("it did not answer within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("the secret of its connector cannot stand in a header: {0}")]
    Login(&'static str),
    #[error("{0}")]
    Refused(String),
    #[error("the call was given up")]
    GivenUp,
}

/// A connection that may be there.
pub(super) struct Line {
    url: String,
    logins: Logins,
    hidden: Hidden,
    open: Mutex<Option<RunningService<RoleClient, ClientConfig>>>,
}

impl Line {
    pub(super) fn new(url: String, logins: Logins, hidden: Hidden) -> Self {
        Self { url, logins, hidden, open: Mutex::default() }
    }

    /// The server, connected to within `patience` where it is not yet.
    pub(super) async fn peer(&self, patience: Duration) -> Result<Peer<RoleClient>, Away> {
        let mut open = self.open.lock().await;
        if let Some(service) = open.as_ref().filter(|service| !service.is_transport_closed()) {
            return Ok(service.peer().clone());
        }
        let transport = self.transport(patience)?;
        let client = ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("komputer-agent", env!("CARGO_PKG_VERSION")),
        );
        let greeted = timeout(patience, client.serve(transport)).await.map_err(|_| Away::Slow(patience))?;
        let service = greeted.map_err(|error| Away::Refused(chain(&error)))?;
        Ok(open.insert(service).peer().clone())
    }

    /// What the server answered. After anything but its own refusal it is connected to anew.
    pub(super) async fn judge<T>(&self, answered: Result<T, ServiceError>) -> Result<T, Away> {
        match answered {
            Ok(answer) => Ok(answer),
            Err(ServiceError::McpError(refusal)) => Err(Away::Refused(refusal.message.into_owned())),
            Err(error) => {
                self.hang_up().await;
                Err(Away::Refused(chain(&error)))
            }
        }
    }

    pub(super) async fn hang_up(&self) {
        if let Some(service) = self.open.lock().await.take() {
            service.cancellation_token().cancel();
        }
    }

    fn transport(&self, patience: Duration) -> Result<StreamableHttpClientTransport<KeyedClient>, Away> {
        // A redirect would show the secret to somebody else.
        let client = Client::builder().connect_timeout(patience).redirect(Policy::none()).build();
        let client = client.map_err(|error| Away::Refused(chain(&error)))?;
        self.logins.newest().as_ref().map(header).transpose()?;
        let config = StreamableHttpClientTransportConfig::with_uri(self.url.clone())
            .max_json_response_size(ANSWER)
            .max_sse_event_size(ANSWER)
            .max_error_response_size(ERROR);
        let (logins, hidden) = (self.logins.clone(), self.hidden.clone());
        Ok(StreamableHttpClientTransport::with_client(KeyedClient { client, logins, hidden }, config))
    }
}

/// An error and what is behind it: the outermost says least.
fn chain(error: &dyn Error) -> String {
    let (mut words, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        let inner = error.to_string();
        if !words.contains(&inner) {
            let _ = write!(words, ": {inner}");
        }
        source = error.source();
    }
    words
}
