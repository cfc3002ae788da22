//! Agents' streams in Redis, and the doorbells that say which stream has something new.
mod bells;
mod connection;
mod keys;
mod streams;

pub use bells::{Bells, Ring};
pub use connection::{Address, BusError, Credentials, InvalidAddress, retry_policy};
pub use keys::{SHARDS, bell_key, shard, stream_key};
pub use streams::{Entry, Page, Retention, Streams};
