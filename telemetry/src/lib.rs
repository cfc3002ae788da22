//! Logs, metrics and health endpoints: one way for every binary.

mod log;

pub use log::init;
