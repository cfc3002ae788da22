use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
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
