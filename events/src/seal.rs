//! What is told to one agent in confidence: its pod's network may be listened to.
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::connector::Connector;

/// The key of one agent: what is sealed with it, nobody else can read or make.
pub struct SealingKey(RandomizedNonceKey);

/// Connectors of a task, as they travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    /// Base64 of a nonce, the connectors' JSON in AES-256-GCM, and its tag.
    sealed: String,
}

/// Something cannot be sealed or opened. It never says what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a key.
    #[error("not a sealing key: expected 64 hexadecimal digits")]
    Key,
    /// Nothing that this key has sealed for this task.
    #[error("what is sealed is not for this task of this agent, or was changed on its way")]
    Foreign,
    /// Not what is expected to be sealed.
    #[error("what is sealed are no connectors")]
    Content,
}

impl SealingKey {
    /// The key that is written as these 64 hexadecimal digits.
    ///
    /// # Errors
    /// They are not.
    pub fn new(digits: &str) -> Result<Self, SealError> {
        let bytes = hex::decode(digits).map_err(|_| SealError::Key)?;
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).map(Self).map_err(|_| SealError::Key)
    }

    /// Seals the connectors of the task of that uid.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn seal(&self, task: &str, connectors: &[Connector]) -> Result<Sealed, SealError> {
        let mut text = serde_json::to_vec(connectors).map_err(|_| SealError::Content)?;
        let nonce = self.0.seal_in_place_append_tag(aad(task), &mut text).map_err(|_| SealError::Key)?;
        Ok(Sealed { sealed: BASE64_STANDARD.encode([nonce.as_ref().as_slice(), &text].concat()) })
    }

    /// Opens what was sealed for the task of that uid.
    ///
    /// # Errors
    /// It was not, or something else was.
    pub fn open(&self, task: &str, Sealed { sealed }: &Sealed) -> Result<Vec<Connector>, SealError> {
        let mut bytes = BASE64_STANDARD.decode(sealed).map_err(|_| SealError::Foreign)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(SealError::Foreign)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Foreign)?;
        let text = self.0.open_in_place(nonce, aad(task), text).map_err(|_| SealError::Foreign)?;
        serde_json::from_slice(text).map_err(|_| SealError::Content)
    }
}

fn aad(task: &str) -> Aad<String> {
    Aad::from(format!("connectors of {task}"))
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::{Login, Server};

    fn key(digit: &str) -> SealingKey {
        SealingKey::new(&digit.repeat(64)).unwrap()
    }

    fn connectors() -> Vec<Connector> {
        let login = Login { header: "Authorization".into(), scheme: "Bearer ".into(), secret: "hunter2".into() };
        let server = Server::Http { url: "https://mcp.example.com".into(), login: Some(login) };
        vec![Connector { name: "github".into(), server }]
    }

    #[test]
    fn only_the_agent_itself_opens_what_is_sealed_for_the_task() {
        let sealed = key("a").seal("t1", &connectors()).unwrap();
        assert_eq!(key("a").open("t1", &sealed), Ok(connectors()));
        assert_eq!(key("a").open("t2", &sealed), Err(SealError::Foreign));
        assert_eq!(key("b").open("t1", &sealed), Err(SealError::Foreign));
        assert_ne!(key("a").seal("t1", &connectors()), Ok(sealed.clone()), "it never looks the same");
        let mut bytes = BASE64_STANDARD.decode(&sealed.sealed).unwrap();
        bytes[20] ^= 1;
        for wrong in [BASE64_STANDARD.encode(bytes), String::new(), "?".into(), "AAAA".into()] {
            assert_eq!(key("a").open("t1", &Sealed { sealed: wrong }), Err(SealError::Foreign));
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let sealed = key("a").seal("t1", &connectors()).unwrap();
        let shown = format!("{:?} {:?} {}", connectors(), key("a"), serde_json::to_string(&sealed).unwrap());
        assert!(!shown.contains("hunter2") && shown.contains("Authorization: Bearer …"), "{shown}");
        assert!(!BASE64_STANDARD.decode(sealed.sealed).unwrap().windows(7).any(|bytes| bytes == b"hunter2"));
    }

    #[test]
    fn a_key_has_its_length() {
        for wrong in ["", "ab", &"a".repeat(63), &"g".repeat(64), &"a".repeat(66)] {
            assert_eq!(SealingKey::new(wrong).err(), Some(SealError::Key));
        }
    }
}
