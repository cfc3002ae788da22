//! Every secret of every agent, derived from one key: nothing to store, nothing to lose, the same after a restart.
use std::fmt;

use hmac::{Hmac, Mac, digest::KeyInit};
use sha2::{Digest, Sha256};

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive(String);

impl Sensitive {
    /// Wraps a value that must not be shown.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What a derived secret opens; a secret for one audience opens nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The agent's HTTP server.
    AgentHttp,
    /// What the agent is told in confidence, whoever listens to its HTTP server.
    Sealed,
    /// The agent's Redis user.
    Redis,
}

/// The key all others are derived from, 64 bytes: one block of the hash.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey([u8; 64]);

impl MasterKey {
    /// From the bytes that the operator's Secret keeps.
    pub fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The secret of one agent object for one audience: 64 hexadecimal digits.
    pub fn derive(&self, audience: Audience, uid: &str) -> Sensitive {
        let purpose = match audience {
            Audience::AgentHttp => "agent-http",
            Audience::Sealed => "sealed",
            Audience::Redis => "redis",
        };
        Sensitive(self.mac(&[purpose, uid]))
    }

    /// A fingerprint that changes when any part changes and tells nothing about them.
    pub fn fingerprint<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> String {
        let parts: Vec<_> = std::iter::once("fingerprint").chain(parts).collect();
        self.mac(&parts).chars().take(16).collect()
    }

    fn mac(&self, parts: &[&str]) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.0.into());
        for part in parts {
            // Hashes have one length, so the border between two parts cannot move.
            mac.update(&Sha256::digest(part.as_bytes()));
        }
        hex::encode(mac.finalize().into_bytes())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_one_door_of_one_agent() {
        let key = MasterKey::new([7; 64]);
        let one = key.derive(Audience::AgentHttp, "u1");
        assert_eq!(one, key.derive(Audience::AgentHttp, "u1"));
        assert_ne!(one, key.derive(Audience::Redis, "u1"));
        assert_ne!(one, key.derive(Audience::Sealed, "u1"));
        assert_ne!(one, key.derive(Audience::AgentHttp, "u2"));
        assert_ne!(one, MasterKey::new([8; 64]).derive(Audience::AgentHttp, "u1"));
        assert_eq!(one.reveal().len(), 64);
        assert_eq!(format!("{one:?} {key:?}"), "… MasterKey(…)");
    }

    #[test]
    fn fingerprints_see_the_border_between_parts() {
        let key = MasterKey::new([7; 64]);
        assert_ne!(key.fingerprint(["ab", "c"]), key.fingerprint(["a", "bc"]));
    }
}
