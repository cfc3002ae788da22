use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use warp::http::{HeaderMap, header};

use crate::error::ApiError;

/// The subprotocol of our sockets.
pub const SUBPROTOCOL: &str = "komputer.v1";
/// What a browser, which cannot set headers on a socket, offers as a subprotocol: this and the token in base64url.
const SUBPROTOCOL_TOKEN: &str = "bearer.";
/// Longer than any token in use; bounds what is hashed and passed on.
const LONGEST: usize = 16 * 1024;

/// A bearer token. Never shown.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    fingerprint: [u8; 32],
}

impl Token {
    fn new(secret: String) -> Result<Self, ApiError> {
        if secret.is_empty() || secret.len() > LONGEST || !secret.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ApiError::Unauthenticated("the bearer token is not one; send a Kubernetes token".into()));
        }
        let fingerprint = Sha256::digest(secret.as_bytes()).into();
        Ok(Self { secret: secret.into(), fingerprint })
    }

    /// The token itself.
    pub(super) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// Its SHA-256, which answers about it are kept under.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

/// The token of a request: in `Authorization`, else among the subprotocols it offers. Never in the query, which ends up
/// in logs.
pub(super) fn of(headers: &HeaderMap) -> Result<Token, ApiError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ApiError::Unauthenticated("the Authorization header is not of the form Bearer TOKEN".into()));
        }
        return Token::new(token.trim().to_owned());
    }
    if let Some(encoded) = subprotocols(headers).find_map(|offered| offered.strip_prefix(SUBPROTOCOL_TOKEN)) {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).unwrap_or_default();
        return Token::new(String::from_utf8(bytes).unwrap_or_default());
    }
    Err(ApiError::Unauthenticated(
        "no bearer token; send a Kubernetes token, for example of kubectl create token, as Authorization: Bearer TOKEN"
            .into(),
    ))
}

/// The subprotocols a client offers for a socket.
pub fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    fn token(name: header::HeaderName, value: &str) -> Result<String, ApiError> {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
        of(&headers).map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_token_comes_as_a_header_or_as_a_subprotocol() {
        assert_eq!(token(header::AUTHORIZATION, "Bearer abc.def"), Ok("abc.def".into()));
        assert_eq!(token(header::AUTHORIZATION, "bearer  abc "), Ok("abc".into()));
        let offered = format!("komputer.v1, bearer.{}", BASE64_URL_SAFE_NO_PAD.encode("abc.def"));
        assert_eq!(token(header::SEC_WEBSOCKET_PROTOCOL, &offered), Ok("abc.def".into()));
    }

    #[test]
    fn anything_else_is_unauthenticated() {
        for bad in ["Basic YTpi", "Bearer", "Bearer ", "abc", "Bearer a b"] {
            assert!(matches!(token(header::AUTHORIZATION, bad), Err(ApiError::Unauthenticated(_))), "{bad}");
        }
        assert!(matches!(token(header::SEC_WEBSOCKET_PROTOCOL, "bearer.%%"), Err(ApiError::Unauthenticated(_))));
        assert!(matches!(of(&HeaderMap::new()), Err(ApiError::Unauthenticated(_))));
    }
}
