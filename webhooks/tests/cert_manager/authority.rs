//! An authority as cert-manager's Issuer has it, and what it signs.
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};

/// The authority's key and its certificate.
pub struct Authority {
    key: KeyPair,
    /// In PEM.
    pub certificate: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        Self { certificate: certificate(&key), key }
    }

    /// Another certificate of the same key, as `rotationPolicy: Never` has it.
    pub fn renew(&mut self) {
        let before = std::mem::replace(&mut self.certificate, certificate(&self.key));
        assert_ne!(before, self.certificate);
    }

    /// A certificate and its key, in PEM.
    pub fn sign(&self, names: &[String], until: SystemTime) -> (String, String) {
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, &self.key).unwrap();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        parameters.not_before = (SystemTime::now() - Duration::from_mins(5)).into();
        parameters.not_after = until.into();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        (parameters.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn certificate(key: &KeyPair) -> String {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "komputer-webhooks");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    parameters.not_before = (SystemTime::now() - Duration::from_mins(5)).into();
    parameters.self_signed(key).unwrap().pem()
}
