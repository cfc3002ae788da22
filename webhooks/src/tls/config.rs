use std::sync::Arc;

use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::HotCertificate;

/// TLS 1.2 and 1.3 with `certificate`, and HTTP/1.1 and HTTP/2 above it. Clients are asked for a certificate where there
/// is an authority for them.
///
/// # Errors
/// The cryptography that this was compiled with lacks TLS 1.2 or 1.3.
pub fn server_config(
    certificate: Arc<HotCertificate>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
        .with_cert_resolver(certificate);
    // A resumed session skips the certificate, so its client would not see a rotated one.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
