//! The gateway's own answers, in the form of the Messages API's errors, so that Claude Code tells them as they are.
use hyper::{Response, StatusCode, header};
use serde_json::json;

use crate::http::{self, Body, BodyError};

/// Why a call is not made, or could not be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this gateway wants the token of this pod")]
    WrongToken,
    #[error("{0} is not open to agents: only /v1/messages and /v1/models are")]
    Path(String),
    #[error("no model key: the Secret that the agent's template names must hold ANTHROPIC_API_KEY")]
    NoKey,
    #[error("no task is running")]
    NoTask,
    #[error("{0}")]
    Exhausted(String),
    #[error("a budget is used up: the task waits, and goes on by itself")]
    WaitsForBudget,
    #[error("{0} calls of this task are under way already")]
    TooManyCalls(usize),
    #[error("a request may have {0} bytes")]
    TooLarge(usize),
    #[error("the request could not be read: {0}")]
    Unreadable(String),
    #[error("the model's API could not be reached: {0}")]
    Unreachable(String),
    #[error("the agent cannot note what a call costs: {0}")]
    Uncharged(String),
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLong(limit) => Self::TooLarge(limit),
            error => Self::Unreadable(error.to_string()),
        }
    }
}

impl Refusal {
    fn status_and_kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::WrongToken | Self::NoKey => (StatusCode::UNAUTHORIZED, "authentication_error"),
            Self::Path(_) => (StatusCode::NOT_FOUND, "not_found_error"),
            Self::TooManyCalls(_) | Self::WaitsForBudget => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
            Self::NoTask | Self::Exhausted(_) | Self::Unreadable(_) => {
                (StatusCode::BAD_REQUEST, "invalid_request_error")
            }
            Self::Unreachable(_) => (StatusCode::BAD_GATEWAY, "api_error"),
            Self::Uncharged(_) => (StatusCode::INTERNAL_SERVER_ERROR, "api_error"),
        }
    }

    /// Trying again helps against what may pass.
    fn may_pass(&self) -> bool {
        matches!(self, Self::TooManyCalls(_) | Self::WaitsForBudget | Self::Unreachable(_))
    }

    pub(super) fn response(&self) -> Response<Body> {
        let (status, kind) = self.status_and_kind();
        let json = json!({"type": "error", "error": {"type": kind, "message": self.to_string()}});
        let mut response = Response::new(http::full(json.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        let retry = if self.may_pass() { "true" } else { "false" };
        headers.insert(super::forward::SHOULD_RETRY, header::HeaderValue::from_static(retry));
        response
    }
}
