//! The process as it is deployed, against a real apiserver and a real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod client;
mod cluster;
mod hub;
mod limits;
mod read;
mod redis;
mod server;
mod sockets;
