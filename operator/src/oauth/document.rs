//! What the Secret of a login by OAuth holds: the answer of a token endpoint
//! (<https://www.rfc-editor.org/rfc/rfc6749#section-5.1>), and when what it gave ends.
use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value};

/// How long before its end a token is refreshed: a call that has begun is to end with it.
const BEFORE: Duration = Duration::from_mins(5);

/// A token with what is known of it. What komputer does not know in it is kept.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Document(Map<String, Value>);

impl Document {
    /// Nothing where the text is a token by itself, about which nothing is known.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// What opens the server.
    pub(super) fn access_token(&self) -> Option<&str> {
        self.text("access_token")
    }

    /// What another one is to be had for.
    pub(super) fn refresh_token(&self) -> Option<&str> {
        self.text("refresh_token")
    }

    /// When it is to be refreshed. An answer that was put into the Secret as it came does not say since when it counts: at
    /// once. Without any end, never.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.expires_at() {
            Some(end) => end.checked_sub(BEFORE).ok(),
            None => self.0.contains_key("expires_in").then_some(Timestamp::UNIX_EPOCH),
        }
    }

    /// Whether that is now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// When it ends.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        match self.0.get("expires_at")? {
            Value::String(text) => text.parse().ok(),
            // Some count milliseconds.
            number => number.as_f64().map(|count| if count > 1e11 { count / 1e3 } else { count }).and_then(seconds),
        }
    }

    /// As it is once the endpoint has answered so. Who gives no other refresh token lets the old one go on.
    pub(super) fn renewed(&self, answer: Self, now: Timestamp) -> Self {
        let mut all = self.0.clone();
        let end = answer.0.get("expires_in").and_then(lifetime).and_then(|lifetime| now.checked_add(lifetime).ok());
        all.extend(answer.0);
        all.remove("expires_in");
        match (end, all.get("expires_at").is_some_and(Value::is_number)) {
            (Some(end), true) => all.insert("expires_at".into(), end.as_second().into()),
            (Some(end), false) => all.insert("expires_at".into(), end.to_string().into()),
            (None, _) => all.remove("expires_at"),
        };
        Self(all)
    }

    /// As it stands in the Secret.
    pub(super) fn to_text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str().filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Some write the number as a text.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    Some(Duration::from_secs(seconds))
}

fn seconds(count: f64) -> Option<Timestamp> {
    let whole = (count.is_finite() && count >= 0.0).then(|| Duration::try_from_secs_f64(count).ok())??;
    Timestamp::UNIX_EPOCH.checked_add(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn document(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    #[test]
    fn a_token_is_refreshed_five_minutes_before_its_end_however_that_is_said() {
        for end in ["1000", "\"1970-01-01T00:16:40Z\"", "1700000000000"] {
            let parsed = document(&format!(r#"{{"access_token": "a", "expires_at": {end}}}"#));
            let due = if end.len() > 10 && !end.contains('Z') { 1_700_000_000 } else { 1000 } - 300;
            assert_eq!(parsed.due(), Some(at(due)), "{end}");
        }
        assert_eq!(document(r#"{"access_token": "a", "expires_in": 60}"#).due(), Some(at(0)));
        assert_eq!(document(r#"{"access_token": "a"}"#).due(), None);
        assert!(Document::parse("ghp_0123").is_none() && Document::parse("12345").is_none());
    }

    #[test]
    fn what_the_endpoint_answers_counts_and_all_else_is_kept() {
        let before =
            document(r#"{"access_token": "a", "refresh_token": "r", "expires_at": 1000, "service": "notion"}"#);
        let after = before.renewed(document(r#"{"access_token": "b", "expires_in": "60"}"#), at(2000));
        assert_eq!(
            after,
            document(r#"{"access_token": "b", "refresh_token": "r", "expires_at": 2060, "service": "notion"}"#)
        );
        assert_eq!(Document::parse(&after.to_text()), Some(after.clone()));
        let rotated = after.renewed(document(r#"{"access_token": "c", "refresh_token": "s"}"#), at(2000));
        assert_eq!((rotated.refresh_token(), rotated.due()), (Some("s"), None), "it says no end");
        let raw = document(r#"{"access_token": "a", "refresh_token": "r", "expires_in": 60}"#);
        let after = raw.renewed(document(r#"{"access_token": "b", "expires_in": 60}"#), at(0));
        assert_eq!(
            after,
            document(r#"{"access_token": "b", "refresh_token": "r", "expires_at": "1970-01-01T00:01:00Z"}"#)
        );
    }
}
