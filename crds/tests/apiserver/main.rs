//! The definitions as a real apiserver serves them and kubectl shows them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;
mod examples;
mod explain;
mod immutability;
mod install;
mod json_schemas;
mod queries;
mod ratcheting;
