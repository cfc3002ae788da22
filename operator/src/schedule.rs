//! Schedule: a task at each time, and the agent that does them where the schedule has one made.
mod agent;
mod build;
mod decide;
mod observe;
mod runs;
mod status;
#[cfg(test)]
mod tests;
mod times;
mod valid;

pub(crate) use agent::NONE_YET;
pub use agent::{SCHEDULE, is_agent_of};
pub use decide::decide;
pub use observe::{Observed, ScheduleController, TRIGGER};
