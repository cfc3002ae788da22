//! What the suites against real clusters share.
pub mod agents;
pub mod node;
pub mod record;
pub mod socket;
