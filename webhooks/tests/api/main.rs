//! The webhooks as users meet them: the real program, called by a real apiserver, through kubectl.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admission;
mod callers;
mod conversion;
mod emergency;
mod examples;
mod foresight;
mod health;
mod komputer_ai;
mod policies;
mod refused;
mod system;
mod trust;
