//! Pieces of OpenAPI schema that several kinds share.
mod conditions;
mod definition;
mod manager;
mod rules;

pub(crate) use conditions::conditions;
pub(crate) use definition::Definition;
pub(crate) use manager::another_manager;
pub(crate) use rules::{
    agent_name, amount, cron, duration, header_name, host_and_port, labels, limit, long_url, model, namespace,
    namespaces, object_name, opaque, positive_limit, quantities, quantity, secret_key, template_name, time_zone, url,
};
