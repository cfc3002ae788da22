//! Office: a manager and its agents, rolled up, and what the manager asks for.
mod answered;
mod build;
mod decide;
mod observe;
mod order;
mod permission;
mod requests;
mod standing;
#[cfg(test)]
mod tests;

pub use answered::Answered;
pub use build::REQUEST;
pub(crate) use build::office as made_office;
pub(crate) use observe::oldest_office;
pub use observe::{Observed, OfficeController};
pub(crate) use standing::Facts;
