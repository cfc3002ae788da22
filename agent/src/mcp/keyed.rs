//! Requests to a connector's server, each with the login as it was told last: a token of OAuth ends while a task goes on, and
//! what the server keeps of the connection is not to end with it.
use std::{collections::HashMap, sync::Arc};

use futures::stream::BoxStream;
use komputer_events::connector::Login;
use reqwest::{
    Client,
    header::{HeaderName, HeaderValue},
};
use rmcp::{
    model::ClientJsonRpcMessage,
    transport::streamable_http_client::{
        SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
    },
};
use sse_stream::Sse;

use super::{hide::Hidden, line::Away};
use crate::connectors::Logins;

type Headers = HashMap<HeaderName, HeaderValue>;
type Refused = StreamableHttpError<reqwest::Error>;

/// A client that logs in.
#[derive(Clone)]
pub(super) struct KeyedClient {
    pub(super) client: Client,
    pub(super) logins: Logins,
    pub(super) hidden: Hidden,
}

impl KeyedClient {
    /// What is shown is hidden from then on.
    fn with_login(&self, mut headers: Headers) -> Headers {
        if let Some(login) = self.logins.newest() {
            self.hidden.add(&login.secret);
            headers.extend(header(&login));
        }
        headers
    }
}

/// The header that a login is shown in.
pub(super) fn header(Login { header, scheme, secret }: &Login) -> Result<(HeaderName, HeaderValue), Away> {
    let name = HeaderName::try_from(header).map_err(|_| Away::Login("the header has no valid name"))?;
    let value = HeaderValue::try_from(format!("{scheme}{secret}"));
    let mut value = value.map_err(|_| Away::Login("it holds a line break or another control character"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

impl StreamableHttpClient for KeyedClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Refused> {
        self.client.post_message(uri, message, session, auth, self.with_login(headers)).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Refused> {
        let headers = self.with_login(headers);
        self.client.post_message_with_response_limits(uri, message, session, auth, headers, limits).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<(), Refused> {
        self.client.delete_session(uri, session, auth, self.with_login(headers)).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Refused> {
        self.client.get_stream(uri, session, last_event, auth, self.with_login(headers)).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        headers: Headers,
        largest: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Refused> {
        let headers = self.with_login(headers);
        self.client.get_stream_with_max_sse_event_size(uri, session, last_event, auth, headers, largest).await
    }
}
