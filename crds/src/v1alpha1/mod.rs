//! The version of the system before komputer, served so that its YAML and its clients keep working.
mod agent;
mod schema;
mod status;
pub mod words;

pub use agent::{KomputerAgent, KomputerAgentSpec, Lifecycle, Role, Storage};
pub use status::KomputerAgentStatus;
