use std::net::IpAddr;

use warp::http::{HeaderMap, Uri, header};

use crate::error::ApiError;

/// Whether a request that nobody vouches for was meant for this machine.
///
/// Any web page a browser on it shows could send it requests: under a name of its own that resolves to loopback, or as
/// a socket, which browsers let cross origins.
pub(super) fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap_or_default());
    let host = text(header::HOST).and_then(|host| format!("http://{host}/").parse::<Uri>().ok());
    let origin = text(header::ORIGIN).map(|origin| origin.parse::<Uri>().ok());
    if host.as_ref().is_some_and(is_loopback) && origin.is_none_or(|origin| origin.as_ref().is_some_and(is_loopback)) {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "without authentication only requests to and from a loopback host are answered; use http://127.0.0.1".into(),
    ))
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    fn allowed(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        check(&headers).is_ok()
    }

    #[test]
    fn a_page_from_elsewhere_cannot_read_through_the_browser() {
        assert!(allowed("127.0.0.1:8080", None));
        assert!(allowed("[::1]:8080", None));
        assert!(allowed("localhost", Some("http://localhost:3000")));
        assert!(!allowed("evil.example:8080", None));
        assert!(!allowed("127.0.0.1:8080", Some("https://evil.example")));
        assert!(!allowed("127.0.0.1:8080", Some("null")));
        assert!(check(&HeaderMap::new()).is_err());
    }
}
