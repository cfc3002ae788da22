//! Keeps a secret out of what goes to the model: some servers say in an error, or in an answer, what they were shown.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};

/// What stands where the secret stood.
const MARKER: &str = "[hidden by komputer]";
/// A shorter secret could be part of any word.
const SHORTEST: usize = 6;

/// Secrets that are not to be said: all that were shown to a server. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Hidden(Arc<Mutex<Vec<SecretString>>>);

impl Hidden {
    pub(super) fn add(&self, secret: &str) {
        let mut secrets = self.lock();
        if secret.len() >= SHORTEST && secrets.iter().all(|known| known.expose_secret() != secret) {
            secrets.push(secret.into());
        }
    }

    pub(super) fn hide_in_text(&self, text: &str) -> String {
        self.lock().iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), MARKER))
    }

    /// In every text of a value.
    pub(super) fn hide<T: Serialize + DeserializeOwned>(&self, value: T) -> T {
        let secrets = self.lock();
        // As JSON writes them, between its quotes.
        let written = secrets.iter().filter_map(|secret| serde_json::to_string(secret.expose_secret()).ok());
        let written: Vec<_> = written.map(|quoted| quoted[1..quoted.len() - 1].to_owned()).collect();
        let Ok(json) = serde_json::to_string(&value) else { return value };
        if !written.iter().any(|secret| json.contains(secret)) {
            return value;
        }
        let hidden = written.iter().fold(json, |json, secret| json.replace(secret, MARKER));
        serde_json::from_str(&hidden).unwrap_or(value)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SecretString>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_is_said() {
        let hidden = Hidden::default();
        assert_eq!(hidden.hide(json!({ "a": "b" })), json!({ "a": "b" }));
        hidden.add("hun\"ter2");
        hidden.add("hunter3");
        hidden.add("a");
        assert_eq!(hidden.hide_in_text("no hun\"ter2 here"), "no [hidden by komputer] here");
        let said = json!({ "content": [{ "text": "Bearer hun\"ter2" }, { "text": "hunter3" }] });
        let expected =
            json!({ "content": [{ "text": "Bearer [hidden by komputer]" }, { "text": "[hidden by komputer]" }] });
        assert_eq!(hidden.hide(said), expected);
        assert_eq!(
            hidden.hide_in_text("a cat, hunter3"),
            "a cat, [hidden by komputer]",
            "one so short is part of any word"
        );
    }
}
