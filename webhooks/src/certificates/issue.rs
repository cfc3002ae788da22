//! Making keys and certificates, and reading what a certificate says.
use std::{fmt, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::parse_x509_certificate;

use super::Period;

/// Certificates are valid from this long ago, for apiservers whose clocks are behind.
const BACKDATED: Duration = Duration::from_mins(5);

/// Why a certificate cannot be made or read.
#[derive(thiserror::Error, Debug)]
pub enum IssueError {
    /// A key or certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A certificate cannot be read.
    #[error("cannot read a certificate: {0}; delete the Secret to have it made again")]
    Read(String),
}

/// A certificate and its private key, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key, as PKCS #8.
    pub key: String,
}

impl fmt::Debug for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A new authority that signs until `now + life`.
pub(super) fn authority(now: Timestamp, life: Duration) -> Result<Pair, IssueError> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    // Each has a name of its own, so that clients that trust two know which signed what.
    parameters.distinguished_name.push(DnType::CommonName, format!("komputer-webhooks {now}"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit(&mut parameters, now, now.as_second().saturating_add_unsigned(life.as_secs()));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok(Pair { certificate: parameters.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

/// A server's certificate for `names`, signed by `authority`, until `now + life` or the authority's own end.
pub(super) fn leaf(authority: &Pair, names: &[String], now: Timestamp, life: Duration) -> Result<Pair, IssueError> {
    let end = period(&authority.certificate)?.until.as_second();
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let mut parameters = CertificateParams::new(names.to_vec())?;
    let name = names.first().map_or("komputer-webhooks", String::as_str);
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    limit(&mut parameters, now, now.as_second().saturating_add_unsigned(life.as_secs()).min(end));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok(Pair { certificate: parameters.signed_by(&key, &issuer)?.pem(), key: key.serialize_pem() })
}

fn limit(parameters: &mut CertificateParams, now: Timestamp, until: i64) {
    let epoch = date_time_ymd(1970, 1, 1);
    let at = |second: i64| epoch + Duration::from_secs(u64::try_from(second).unwrap_or_default());
    parameters.not_before = at(now.as_second()) - BACKDATED;
    parameters.not_after = at(until);
}

/// When a certificate was made and until when it is valid.
pub(super) fn period(certificate: &str) -> Result<Period, IssueError> {
    let der = der(certificate)?;
    let (_, parsed) = parse_x509_certificate(&der).map_err(|error| IssueError::Read(error.to_string()))?;
    let validity = parsed.validity();
    let at = |second| Timestamp::from_second(second).map_err(|error| IssueError::Read(error.to_string()));
    let issued = at(validity.not_before.timestamp())?.saturating_add(BACKDATED).unwrap_or(Timestamp::MAX);
    Ok(Period { issued, until: at(validity.not_after.timestamp())? })
}

/// The first certificate of a PEM text.
fn der(certificate: &str) -> Result<CertificateDer<'static>, IssueError> {
    CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|error| IssueError::Read(error.to_string()))
}
