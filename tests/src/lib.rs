//! What the suites against real clusters share.
pub mod agents;
pub mod cluster;
pub mod document;
pub mod flux;
pub mod kustomize;
pub mod node;
pub mod objects;
pub mod ports;
pub mod promises;
pub mod record;
pub mod redis;
pub mod socket;
