//! The webhooks' own certificates: made here, kept in one Secret, renewed in time, and trusted by the apiserver.
//!
//! Every replica watches the Secret and serves what it holds. Any replica may move it on; of two that try, the one that
//! wrote first wins, because a write names the resourceVersion it is based on. Nobody has to lead.
//!
//! Where somebody else keeps certificates, like cert-manager, a [`Follower`] takes the [`Keeper`]'s place.
mod chain;
mod follower;
mod issue;
mod keeper;
mod rotation;
mod secret;
mod trust;

pub use follower::{Followed, Follower};
pub use issue::{IssueError, Pair};
pub use keeper::{Keeper, KeeperError, Settings};
pub use rotation::{Lifetimes, Period, Signer, State, Step, next};
pub use secret::Certificates;
pub use trust::Target;
