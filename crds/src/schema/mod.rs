//! Pieces of OpenAPI schema that several kinds share.
mod rules;

pub(crate) use rules::{amount, labels, opaque, quantities, quantity};
