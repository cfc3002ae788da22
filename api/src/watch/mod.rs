//! What is in the cluster, kept up to date by list and watch.
mod cache;
mod stream;

use k8s_openapi::NamespaceResourceScope;
use komputer_crds::v1beta1::{KomputerAgent, KomputerBudget, KomputerSquad, KomputerTask};
use komputer_telemetry::Health;
use kube::Client;
use serde::de::DeserializeOwned;

pub use cache::{Cache, Object};

/// A kind that can be kept in a [`Cache`].
pub trait Kind:
    kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + std::fmt::Debug
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static
{
}

/// One cache a kind.
#[derive(Clone)]
pub struct Caches {
    /// Every agent.
    pub agents: Cache<KomputerAgent>,
    /// Every task.
    pub tasks: Cache<KomputerTask>,
    /// Every squad.
    pub squads: Cache<KomputerSquad>,
    /// Every budget.
    pub budgets: Cache<KomputerBudget>,
}

impl Caches {
    /// Starts watching; `health` is good once every kind has been listed. Must be called within a Tokio runtime.
    pub fn start(client: &Client, health: &Health) -> Self {
        Self {
            agents: stream::follow(client, health),
            tasks: stream::follow(client, health),
            squads: stream::follow(client, health),
            budgets: stream::follow(client, health),
        }
    }
}
