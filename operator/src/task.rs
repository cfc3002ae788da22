//! Task: a status folded from the events of the agent that does it. The agent's controller hands it over.
mod decide;
mod index;
mod observe;
mod replacement;
mod status;
#[cfg(test)]
mod tests;

pub use decide::decide;
pub use index::{TaskIndex, agent_of};
pub use observe::{Observed, TaskController};
pub use replacement::{order, replacement};
