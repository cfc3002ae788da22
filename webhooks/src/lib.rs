//! komputer's webhooks: conversion between the versions of `KomputerAgent`, admission of every kind that has rules which
//! OpenAPI and CEL cannot say, and the certificates that the apiserver trusts them by.
//!
//! Every replica serves both, without leading and without any store but the apiserver, because conversion is on the path
//! of reads.
pub mod certificates;
mod foresight;
mod metrics;
mod references;
mod routes;
pub mod tls;
mod watch;

pub use metrics::Metrics;
pub use references::{Objects, References};
pub use routes::{Admits, convert, routes, validate};
