//! Events as they happen: one reader of Redis for the whole process, and a bounded queue for each socket.
mod continuity;
mod feed;
mod frame;
mod hub;
mod places;
mod queue;
mod session;
mod subscription;
mod upgrade;

pub use frame::Frame;
pub use hub::Hub;
pub use places::{Place, Places};
pub use queue::Limits as QueueLimits;
pub use session::{Session, Timing};
pub use subscription::{Ended, Start, Subscription};
pub use upgrade::Upgrade;
