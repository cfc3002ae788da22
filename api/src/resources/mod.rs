//! What can be read, one file a resource: its shape, its filters and its routes.
mod agents;
mod budgets;
pub(crate) mod events;
pub(crate) mod namespaces;
mod read;
pub(crate) mod sockets;
mod squads;
mod tasks;
mod time;

pub use read::{Filter, Readable, get, list};
