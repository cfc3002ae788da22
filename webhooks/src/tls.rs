//! HTTPS for warp filters, with a certificate that can be changed while serving.
mod certificate;
mod serve;

pub use certificate::{HotCertificate, server_config};
pub use serve::{Limits, serve};
