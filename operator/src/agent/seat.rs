//! An agent of a squad sits in the squad's pod: which container is its own, and where it answers.
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::AgentPod;

/// The annotation of a shared pod that says who sits in it. It is as old as the pod: a squad that changes moves nobody.
pub const SEATS: &str = "komputer.ai/seats";

/// An agent's place in a shared pod.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The uid of the agent's object: another of its name does not sit there.
    #[serde(default)]
    pub uid: String,
    /// Its container.
    pub container: String,
    /// Where its server listens.
    pub port: u16,
    /// The name of its template, whose limit it counts against.
    pub template: String,
}

/// How an agent stands to the squad that has it, or whose pod it still sits in.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    /// The squad's name.
    pub squad: String,
    /// Whether it is a member; one that has left sits on until nobody in the pod works any more.
    pub stays: bool,
    /// Whether it may begin a task: not in a pod that is to be replaced once nobody works.
    pub begins: bool,
    /// The squad's pod, or the one it still sits in.
    pub pod: Option<Arc<AgentPod>>,
    /// Its seat in that.
    pub seat: Option<Seat>,
}
