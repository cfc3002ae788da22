//! The operator: the only writer of children, status and finalizers.
//!
//! A controller observes caches, decides purely and has its plan carried out ([`controller`]). Events of agents arrive
//! through the [`inbox`], which folds them into what a status says.
pub mod access;
pub mod agent;
pub mod agent_client;
mod arguments;
pub mod bootstrap;
pub mod budget;
pub mod carry_out;
mod clock;
pub mod conditions;
pub mod controller;
mod declarations;
pub mod declared;
mod fence;
pub mod fold;
pub mod freshness;
pub mod inbox;
mod kept;
pub mod keys;
pub mod lease;
pub mod lessons;
pub mod metrics;
pub mod migration;
mod news;
pub mod oauth;
pub mod office;
pub mod plan;
pub mod prune;
pub mod quantity;
pub mod queue;
pub mod recorder;
mod relation;
pub mod schedule;
pub mod settings;
#[cfg(test)]
mod simulation;
pub mod squad;
pub mod status;
pub mod step;
pub mod task;
mod turns;
pub mod vault;
pub mod watch;
mod watches;
mod wiring;

pub use arguments::Arguments;
pub use wiring::run;
