//! HTTPS for warp filters, with a certificate that can be changed while serving, and callers that are known.
mod callers;
mod certificate;
mod config;
mod serve;

pub use callers::{AuthorityError, Caller, client_authority};
pub use certificate::HotCertificate;
pub use config::server_config;
pub use serve::{Limits, serve};
