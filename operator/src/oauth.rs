//! Logins by OAuth: their tokens are refreshed here, and nowhere else: of two that refresh the same one, the second would be
//! refused (docs/decisions/0013).
mod document;
mod endpoint;
mod renewal;

pub use renewal::{Current, Renewals};
