//! A token endpoint, for connectors that log in by OAuth. A refresh token counts once: `NAME-refresh-3` is exchanged for
//! `NAME-access-4` and `NAME-refresh-4`, and after that refused.
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use hyper::{HeaderMap, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::accounting::BoundedMap;

/// The number that each login's next refresh token has at least.
#[derive(Default)]
pub(crate) struct Logins(Mutex<BoundedMap<String, u64>>);

/// `me` and `secret`, as in <https://www.rfc-editor.org/rfc/rfc7617>.
const CLIENT: &str = "Basic bWU6c2VjcmV0";

impl Logins {
    /// The answer to a request with that query and form. `?client=header` and `?client=body` want the client `me`, whose secret
    /// is `secret`, there and nowhere else; `?expires_in=60` is how long the token counts, an hour where it is not said.
    pub(crate) fn answer(&self, query: &str, headers: &HeaderMap, form: &str) -> Result<Value, &'static str> {
        let (query, form) = (fields(query), fields(form));
        let in_header = headers.get(AUTHORIZATION).is_some_and(|header| header == CLIENT);
        let in_body = (form.get("client_id"), form.get("client_secret")) == (Some(&"me"), Some(&"secret"));
        let is_known = match query.get("client") {
            Some(&"header") => in_header && !form.contains_key("client_id"),
            Some(&"body") => in_body && !headers.contains_key(AUTHORIZATION),
            _ => true,
        };
        if !is_known {
            return Err("invalid_client");
        }
        if form.get("grant_type") != Some(&"refresh_token") {
            return Err("unsupported_grant_type");
        }
        let token = form.get("refresh_token").and_then(|token| token.split_once("-refresh-"));
        let (name, number) = token.ok_or("invalid_grant")?;
        let number: u64 = number.parse().map_err(|_| "invalid_grant")?;
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name.to_owned();
        if next.get(&name).is_some_and(|next| number < *next) {
            return Err("invalid_grant");
        }
        let number = number.saturating_add(1);
        let (access, refresh) = (format!("{name}-access-{number}"), format!("{name}-refresh-{number}"));
        next.insert(name, number);
        let lifetime: u64 = query.get("expires_in").and_then(|seconds| seconds.parse().ok()).unwrap_or(3600);
        Ok(json!({
            "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": lifetime,
        }))
    }
}

/// Of names and values that need no escapes.
fn fields(text: &str) -> HashMap<&str, &str> {
    text.split('&').filter_map(|pair| pair.split_once('=')).collect()
}
