//! What an agent says while it works, and the bus it says it on.
//!
//! An agent is the only producer of its stream. It writes each [`Event`] to its journal first and appends it to Redis
//! under an id it chose itself, so that a repeated append is refused and therefore safe. Readers keep a [`Cursor`].
mod agent;
pub mod bus;
pub mod connector;
mod cursor;
mod event;
mod failure;
pub mod knowledge;
mod money;
pub mod office;
mod seal;
pub mod task;

pub use agent::{AgentId, InvalidAgentId};
pub use cursor::{Cursor, InvalidCursor};
pub use event::{Body, Event, EventError, Outcome, TokenUsage, limits};
pub use failure::{FailureReason, UnknownReason};
pub use money::{InvalidMoney, Money};
pub use seal::{SealError, Sealed, SealingKey};
