//! Tasks: accepted durably, worked on one at a time, each ended by exactly one event.
mod account;
mod allowances;
mod deltas;
mod letters;
mod post;
mod progress;
mod queue;
mod run;
mod store;
mod tally;
mod worker;

pub(crate) use account::Account;
pub(crate) use allowances::{AllowanceError, Allowances};
pub(crate) use queue::{Queue, QueueError};
pub(crate) use store::{InvalidUid, Store, TaskUid};
pub(crate) use worker::{WorkError, Worker};
