//! Secrets live in this process alone: whatever runs in the agent's shell has the same uid and must not read them.
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Keeps other processes of the same uid out of this one's memory, environment and open files, and it out of core
/// dumps. Children are not affected: `exec` resets it.
pub(crate) fn hide_this_process() -> rustix::io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Whether somebody who presents `candidate` knows `secret`, in a time that says nothing about the secret.
pub(crate) fn matches(candidate: &str, secret: &SecretString) -> bool {
    Sha256::digest(candidate) == Sha256::digest(secret.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_matches() {
        let secret = SecretString::from("s3cret");
        assert!(matches("s3cret", &secret));
        for wrong in ["", "s3cre", "s3cret ", "S3cret"] {
            assert!(!matches(wrong, &secret), "{wrong}");
        }
    }
}
