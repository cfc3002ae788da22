//! Keeps a secret out of what goes to the model: some servers say in an error, or in an answer, what they were shown.
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};

/// What stands where the secret stood.
const MARKER: &str = "[hidden by komputer]";
/// A shorter secret could be part of any word.
const SHORTEST: usize = 6;

/// A secret that is not to be said.
#[derive(Clone)]
pub(super) struct Hidden(Option<Arc<SecretString>>);

impl Hidden {
    pub(super) fn new(secret: Option<&str>) -> Self {
        Self(secret.filter(|secret| secret.len() >= SHORTEST).map(|secret| Arc::new(secret.into())))
    }

    pub(super) fn hide_in_text(&self, text: &str) -> String {
        match &self.0 {
            Some(secret) => text.replace(secret.expose_secret(), MARKER),
            None => text.to_owned(),
        }
    }

    /// In every text of a value.
    pub(super) fn hide<T: Serialize + DeserializeOwned>(&self, value: T) -> T {
        let Some(secret) = &self.0 else { return value };
        let Ok(json) = serde_json::to_string(&value) else { return value };
        // As JSON writes it, between its quotes.
        let Ok(written) = serde_json::to_string(secret.expose_secret()) else { return value };
        let written = &written[1..written.len() - 1];
        if !json.contains(written) {
            return value;
        }
        serde_json::from_str(&json.replace(written, MARKER)).unwrap_or(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_is_said() {
        let hidden = Hidden::new(Some("hun\"ter2"));
        assert_eq!(hidden.hide_in_text("no hun\"ter2 here"), "no [hidden by komputer] here");
        let said = json!({ "content": [{ "text": "Bearer hun\"ter2" }, { "text": "none" }] });
        let expected = json!({ "content": [{ "text": "Bearer [hidden by komputer]" }, { "text": "none" }] });
        assert_eq!(hidden.hide(said), expected);
        assert_eq!(Hidden::new(Some("a")).hide_in_text("a cat"), "a cat");
        assert_eq!(Hidden::new(None).hide(json!({ "a": "b" })), json!({ "a": "b" }));
    }
}
