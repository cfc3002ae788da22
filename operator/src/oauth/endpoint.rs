//! A token endpoint: <https://www.rfc-editor.org/rfc/rfc6749#section-6>.
use std::time::Duration;

use form_urlencoded::{Serializer, byte_serialize};
use reqwest::{
    Certificate, Client, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    redirect::Policy,
};
use serde_json::Value;

use super::document::Document;
use crate::keys::Sensitive;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);
/// Bytes of an answer; a longer one is none.
const LONGEST: usize = 64 << 10;

/// What the endpoint knows who refreshes by.
pub(super) struct Registration {
    pub(super) id: Option<Sensitive>,
    pub(super) secret: Option<Sensitive>,
}

/// Why there is no new token. The words hold nothing of the login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The endpoint says no, and would say it again.
    Refused(String),
    /// There is no answer, or none that says anything.
    Away(String),
}

/// Speaks to token endpoints. The operator's image holds no certificates: those that Mozilla trusts are part of the program.
pub(super) fn client() -> Result<Client, reqwest::Error> {
    let trusted = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|certificate| Certificate::from_der(certificate));
    Client::builder()
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .redirect(Policy::none()) // it would show the login to somebody else
        .tls_certs_only(trusted.collect::<Result<Vec<_>, _>>()?)
        .build()
}

/// What `token` is exchanged for. A client that has a secret says it in the header that every endpoint has to know, and in the
/// body to those that know it only there.
pub(super) async fn refresh(
    http: &Client,
    url: &str,
    token: &str,
    registration: &Registration,
) -> Result<Document, Failure> {
    let in_header = registration.id.is_some() && registration.secret.is_some();
    let (status, text) = ask(http, url, token, registration, in_header).await?;
    if in_header && error_of(&text).as_deref() == Some("invalid_client") {
        let (status, text) = ask(http, url, token, registration, false).await?;
        return judge(status, &text);
    }
    judge(status, &text)
}

async fn ask(
    http: &Client,
    url: &str,
    token: &str,
    registration: &Registration,
    in_header: bool,
) -> Result<(StatusCode, String), Failure> {
    let request = http.post(url).header(ACCEPT, "application/json");
    let request = match registration {
        Registration { id: Some(id), secret: Some(secret) } if in_header => {
            request.basic_auth(encoded(id), Some(encoded(secret)))
        }
        _ => request,
    };
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(form(token, registration, in_header));
    let away = |error: reqwest::Error| {
        Failure::Away(format!("it cannot be reached: {:#}", anyhow::Error::from(error.without_url())))
    };
    let answer = request.send().await.map_err(away)?;
    let status = answer.status();
    Ok((status, body(answer).await.map_err(away)?))
}

fn form(token: &str, Registration { id, secret }: &Registration, in_header: bool) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token);
    if !in_header {
        let client = [("client_id", id), ("client_secret", secret)];
        form.extend_pairs(client.iter().filter_map(|(name, value)| Some((name, value.as_ref()?.reveal()))));
    }
    form.finish()
}

async fn body(mut answer: Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            body.clear();
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn judge(status: StatusCode, text: &str) -> Result<Document, Failure> {
    // Some say what is wrong with a status of success.
    if let Some(error) = error_of(text) {
        let says_it_again = status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error();
        let words = format!("it answered {} {error}", status.as_u16());
        return Err(if says_it_again { Failure::Refused(words) } else { Failure::Away(words) });
    }
    match Document::parse(text).filter(|answer| status.is_success() && answer.access_token().is_some()) {
        Some(answer) => Ok(answer),
        None => Err(Failure::Away(format!("it answered {} without a token", status.as_u16()))),
    }
}

/// The word for what is wrong (<https://www.rfc-editor.org/rfc/rfc6749#section-5.2>), where it is one.
fn error_of(text: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let word = answer.get("error")?.as_str().unwrap_or("error");
    let is_word = word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    Some(if is_word { word } else { "error" }.to_owned())
}

/// <https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1>
fn encoded(text: &Sensitive) -> String {
    byte_serialize(text.reveal().as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_and_say_nothing_of_the_login() {
        let judged = |status: u16, text: &str| judge(StatusCode::from_u16(status).unwrap(), text);
        assert!(judged(200, r#"{"access_token": "a"}"#).is_ok());
        let refused = |words: &str| Err(Failure::Refused(words.into()));
        let away = |words: &str| Err(Failure::Away(words.into()));
        let gone = r#"{"error": "invalid_grant", "error_description": "r1 is no token"}"#;
        assert_eq!(judged(400, gone), refused("it answered 400 invalid_grant"));
        assert_eq!(judged(200, gone), refused("it answered 200 invalid_grant"));
        assert_eq!(judged(400, r#"{"error": "what is r1?"}"#), refused("it answered 400 error"));
        assert_eq!(judged(429, r#"{"error": "slow_down"}"#), away("it answered 429 slow_down"));
        assert_eq!(judged(503, "<html>"), away("it answered 503 without a token"));
        assert_eq!(judged(302, ""), away("it answered 302 without a token"));
        assert_eq!(judged(200, r#"{"token": "a"}"#), away("it answered 200 without a token"));
    }
}
