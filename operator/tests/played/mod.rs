//! Who is played around a real operator: users, the kubelet, and agents.
pub mod agents;
pub mod mind;
pub mod node;
pub mod space;
