//! The HTTP side of komputer: reads what is in the cluster, streams what agents say, and changes nothing.
pub mod api;
pub mod args;
pub mod auth;
pub mod error;
pub mod live;
pub mod metrics;
pub mod query;
pub mod resources;
pub mod routes;
pub mod server;
pub mod watch;
