//! What a caller is told when a request fails.
use serde::Serialize;
use warp::{
    Reply,
    http::{HeaderValue, StatusCode, header},
    reply::Response,
};

/// Why a request was not answered. Its text goes to the caller as `{"error": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A part of the request cannot be used.
    #[error("parameter {parameter:?}: {problem}")]
    Parameter {
        /// Which one, as it stands in the path or the query.
        parameter: &'static str,
        /// What is wrong with it, and what is expected.
        problem: String,
    },
    /// The request as a whole cannot be used.
    #[error("{0}")]
    Request(String),
    /// It is not known who asks.
    #[error("{0}")]
    Unauthenticated(String),
    /// Who asks may not.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such object, or no such path.
    #[error("{0}")]
    NotFound(String),
    /// Only reading is possible here.
    #[error("method not allowed: this path answers GET only; objects are changed by applying them to the cluster")]
    Method,
    /// The path opens sockets only.
    #[error("this path is a WebSocket: ask for it with Connection: upgrade, Upgrade: websocket and version 13")]
    NotAnUpgrade,
    /// A limit is reached.
    #[error("{0}")]
    TooMany(String),
    /// Something this answer needs is away for the moment.
    #[error("{0}; try again shortly")]
    Unavailable(String),
    /// An object in the cluster cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

impl ApiError {
    /// What to answer with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Parameter { .. } | Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAnUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn header(&self) -> Option<(header::HeaderName, &'static str)> {
        match self {
            Self::Unauthenticated(_) => Some((header::WWW_AUTHENTICATE, "Bearer realm=\"komputer\"")),
            Self::Method => Some((header::ALLOW, "GET")),
            Self::NotAnUpgrade => Some((header::UPGRADE, "websocket")),
            Self::TooMany(_) | Self::Unavailable(_) => Some((header::RETRY_AFTER, "1")),
            _ => None,
        }
    }
}

impl From<komputer_events::bus::BusError> for ApiError {
    fn from(error: komputer_events::bus::BusError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot read events");
        Self::Unavailable("events cannot be read at the moment, because Redis does not answer".into())
    }
}

impl warp::reject::Reject for ApiError {}

#[derive(Serialize)]
struct Body {
    error: String,
}

impl Reply for ApiError {
    fn into_response(self) -> Response {
        let mut response = warp::reply::json(&Body { error: self.to_string() }).into_response();
        *response.status_mut() = self.status();
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
