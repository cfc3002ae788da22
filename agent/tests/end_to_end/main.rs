//! The agent as it runs in its pod: the real Claude Code, a real Redis, and a model that follows its prompt.
//!
//! Needs `KOMPUTER_CLAUDE` (the pinned Claude Code executable), `redis-server` and `unshare`. Where the variable is not
//! set, the tests say so and do nothing; where `CI` is set too, they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod budgets;
mod connectors;
mod crashes;
mod harness;
mod isolation;
mod knowledge;
mod office;
mod redis_outages;
mod requests;
mod steering;
mod tasks;
