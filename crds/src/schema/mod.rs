//! Pieces of OpenAPI schema that several kinds share.
mod rules;

pub(crate) use rules::{amount, labels, limit, model, opaque, quantities, quantity, template_name, url};
