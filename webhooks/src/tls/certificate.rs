use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::{
    ServerConfig,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The certificate being served. New handshakes see a new one at once; open connections keep the one they began with.
/// Until the first is set, handshakes fail.
#[derive(Debug, Default)]
pub struct HotCertificate(ArcSwapOption<CertifiedKey>);

impl HotCertificate {
    /// Serves `key` from here on.
    pub fn set(&self, key: CertifiedKey) {
        self.0.store(Some(Arc::new(key)));
    }
}

impl ResolvesServerCert for HotCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// TLS 1.2 and 1.3 with `certificate`, and HTTP/1.1 and HTTP/2 above it.
///
/// # Errors
/// The cryptography that this was compiled with lacks TLS 1.2 or 1.3.
pub fn server_config(certificate: Arc<HotCertificate>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    // A resumed session skips the certificate, so its client would not see a rotated one.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
