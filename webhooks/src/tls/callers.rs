use std::{path::PathBuf, sync::Arc};

use rustls::{
    RootCertStore, ServerConnection,
    pki_types::{CertificateDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use thiserror::Error;

/// Who calls, as far as a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody with a certificate of the authority that was asked for.
    Verified,
    /// Somebody without a certificate.
    Anonymous,
}

impl Caller {
    pub(super) fn of(connection: &ServerConnection) -> Self {
        // Without an authority none is asked for; one of somebody else ends the handshake.
        if connection.peer_certificates().is_some() { Self::Verified } else { Self::Anonymous }
    }
}

/// An authority for clients' certificates that cannot be used.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The file cannot be read.
    #[error("{}: {error}; name a readable file of PEM certificates with --client-ca", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It holds something else than certificates that can be trusted.
    #[error("{}: {problem}; name a file of PEM certificates with --client-ca", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// Verifies clients' certificates by the authorities in a PEM file. A client without a certificate is let in, as
/// [`Caller::Anonymous`]: the apiserver shows one where it asks for admission, and never where it asks for conversion.
///
/// # Errors
/// The file cannot be read, or has no certificate that can be trusted.
pub fn client_authority(path: impl Into<PathBuf>) -> Result<Arc<dyn ClientCertVerifier>, AuthorityError> {
    let path = path.into();
    let pem = std::fs::read(&path).map_err(|error| AuthorityError::Unreadable { path: path.clone(), error })?;
    verifier(&pem).map_err(|problem| AuthorityError::Invalid { path, problem })
}

fn verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).allow_unauthenticated();
    verifier.build().map_err(|error| error.to_string())
}
