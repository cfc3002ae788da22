//! What a server shows its clients, and whether they take it.
use std::{fmt, sync::Arc};

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::IssueError;

/// A certificate, those between it and its authority, and its key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    /// In PEM.
    key: String,
}

impl fmt::Debug for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Chain").field("certificates", &self.certificates.len()).finish_non_exhaustive()
    }
}

impl Chain {
    /// Of PEM texts.
    pub(super) fn read(certificates: &str, key: &str) -> Result<Self, IssueError> {
        let certificates = certificates_in(certificates)?;
        if certificates.is_empty() {
            return Err(IssueError::Read("there is none".into()));
        }
        Ok(Self { certificates, key: key.to_owned() })
    }

    /// As a server wants it.
    pub(super) fn certified(&self) -> Result<CertifiedKey, IssueError> {
        let read = |error: &dyn std::error::Error| IssueError::Read(error.to_string());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|error| read(&error))?;
        CertifiedKey::from_der(self.certificates.clone(), key, &default_provider()).map_err(|error| read(&error))
    }

    /// Whether a client that trusts these authorities, in PEM, would take it for each of `names`.
    pub(super) fn is_accepted_by(&self, authorities: &str, names: &[String], now: Timestamp) -> bool {
        let verifier = || {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates_in(authorities).ok()?);
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider())).build().ok()
        };
        let (Some(verifier), Some((leaf, between))) = (verifier(), self.certificates.split_first()) else {
            return false;
        };
        let now = UnixTime::since_unix_epoch(now.duration_since(Timestamp::UNIX_EPOCH).unsigned_abs());
        names.iter().all(|name| {
            ServerName::try_from(name.as_str())
                .is_ok_and(|name| verifier.verify_server_cert(leaf, between, &name, &[], now).is_ok())
        })
    }
}

fn certificates_in(pem: &str) -> Result<Vec<CertificateDer<'static>>, IssueError> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    certificates.collect::<Result<_, _>>().map_err(|error| IssueError::Read(error.to_string()))
}
