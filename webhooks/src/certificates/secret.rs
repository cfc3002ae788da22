//! The Secret that holds the certificates, and what can be said of them.
use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::{
    IssueError, Lifetimes, Pair, Signer, State,
    issue::{authority, der, leaf, period},
};

const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const PREVIOUS: &str = "ca-old.crt";
const LEAF: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";

/// The authorities that are trusted and the leaf that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    authority: Pair,
    previous: Option<String>,
    leaf: Pair,
}

impl Certificates {
    /// Those in `secret`, where it has all of them.
    pub fn of(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok().filter(|text| !text.is_empty());
        let pair = |certificate, key| Some(Pair { certificate: text(certificate)?, key: text(key)? });
        Some(Self { authority: pair(AUTHORITY, AUTHORITY_KEY)?, previous: text(PREVIOUS), leaf: pair(LEAF, LEAF_KEY)? })
    }

    /// The data of a Secret that holds them.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let texts = [
            (AUTHORITY, Some(&self.authority.certificate)),
            (AUTHORITY_KEY, Some(&self.authority.key)),
            (PREVIOUS, self.previous.as_ref()),
            (LEAF, Some(&self.leaf.certificate)),
            (LEAF_KEY, Some(&self.leaf.key)),
        ];
        let bytes = |(key, text): (&str, Option<&String>)| Some((key.into(), ByteString(text?.clone().into_bytes())));
        texts.into_iter().filter_map(bytes).collect()
    }

    /// Everything new.
    pub(super) fn create(names: &[String], now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, IssueError> {
        let authority = authority(now, lifetimes.authority)?;
        let leaf = leaf(&authority, names, now, lifetimes.leaf)?;
        Ok(Self { authority, previous: None, leaf })
    }

    /// A new authority, beside the one that signed the leaf.
    pub(super) fn overlap(&self, names: &[String], now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, IssueError> {
        let signed_by_previous = self.previous.as_ref().filter(|previous| self.is_signed_by(previous, names, now));
        let previous = signed_by_previous.unwrap_or(&self.authority.certificate).clone();
        Ok(Self { authority: authority(now, lifetimes.authority)?, previous: Some(previous), leaf: self.leaf.clone() })
    }

    /// A new leaf.
    pub(super) fn sign(&self, names: &[String], now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, IssueError> {
        Ok(Self { leaf: leaf(&self.authority, names, now, lifetimes.leaf)?, ..self.clone() })
    }

    /// The same without the authority before.
    pub(super) fn retire(&self) -> Self {
        Self { previous: None, ..self.clone() }
    }

    /// What the apiserver has to trust, in PEM.
    pub(super) fn bundle(&self) -> String {
        format!("{}{}", self.authority.certificate, self.previous.as_deref().unwrap_or_default())
    }

    /// The leaf, as a server wants it.
    pub(super) fn served(&self) -> Result<CertifiedKey, IssueError> {
        let read = |error: &dyn std::error::Error| IssueError::Read(error.to_string());
        let key = PrivateKeyDer::from_pem_slice(self.leaf.key.as_bytes()).map_err(|error| read(&error))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        CertifiedKey::from_der(vec![der(&self.leaf.certificate)?], key, &provider).map_err(|error| read(&error))
    }

    /// Until when the leaf is valid.
    pub(super) fn leaf_until(&self) -> Result<Timestamp, IssueError> {
        Ok(period(&self.leaf.certificate)?.until)
    }

    /// What [`super::next`] wants to know of them.
    pub(super) fn state(&self, names: &[String], now: Timestamp) -> Result<State, IssueError> {
        let previous = self.previous.as_deref();
        let signer = if self.is_signed_by(&self.authority.certificate, names, now) {
            Signer::Current
        } else if previous.is_some_and(|previous| self.is_signed_by(previous, names, now)) {
            Signer::Previous
        } else {
            Signer::Nobody
        };
        Ok(State {
            authority: period(&self.authority.certificate)?,
            has_previous: previous.is_some(),
            leaf: period(&self.leaf.certificate)?,
            signer,
        })
    }

    /// Whether a client that trusts `authority` alone would take the leaf for each of `names`.
    fn is_signed_by(&self, authority: &str, names: &[String], now: Timestamp) -> bool {
        let verifier = || {
            let mut roots = RootCertStore::empty();
            roots.add(der(authority).ok()?).ok()?;
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()
        };
        let (Some(verifier), Ok(leaf)) = (verifier(), der(&self.leaf.certificate)) else { return false };
        let now = UnixTime::since_unix_epoch(now.duration_since(Timestamp::UNIX_EPOCH).unsigned_abs());
        names.iter().all(|name| {
            ServerName::try_from(name.as_str())
                .is_ok_and(|name| verifier.verify_server_cert(&leaf, &[], &name, &[], now).is_ok())
        })
    }
}
