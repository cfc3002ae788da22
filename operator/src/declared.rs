//! Declared: kinds that have no children of their own. Their status says whether what was declared can be used, who uses
//! it, and what it comes to.
mod attached;
mod attachments;
mod config;
mod decide;
mod template;
#[cfg(test)]
mod tests;
mod world;

pub use attachments::{Attachment, Attachments, attachments_of};
pub use decide::{Declared, DeclaredController, Observed, Verdict};
pub(crate) use decide::{decide, invalid};
pub use world::World;
