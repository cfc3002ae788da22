use k8s_openapi::{
    api::core::v1::PersistentVolumeClaim,
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};
use kube::Resource;
use serde::Deserialize;

/// A workspace's claim, as far as decisions read it.
#[derive(Resource, Deserialize, Clone, Debug, Default, PartialEq)]
#[resource(inherit = PersistentVolumeClaim)]
pub struct AgentVolume {
    /// Whose it is.
    pub metadata: ObjectMeta,
    /// What was asked for.
    #[serde(default)]
    pub spec: AgentVolumeSpec,
    /// What there is.
    #[serde(default)]
    pub status: AgentVolumeStatus,
}

/// What was asked for.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentVolumeSpec {
    /// Its storage class.
    pub storage_class_name: Option<String>,
    /// Its size.
    pub resources: AgentVolumeResources,
}

/// What there is.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct AgentVolumeStatus {
    /// `Pending`, `Bound` or `Lost`.
    pub phase: Option<String>,
    /// Its size.
    pub capacity: Size,
}

/// How much was asked for.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct AgentVolumeResources {
    /// At least so much.
    pub requests: Size,
}

/// Amounts of what a volume has, of which there is but one: a map of one has room for eleven, in thousands of volumes.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct Size {
    /// How much it holds.
    pub storage: Option<Quantity>,
}

impl AgentVolume {
    /// The size that was asked for.
    pub(super) fn requested(&self) -> Option<&str> {
        Some(&self.spec.resources.requests.storage.as_ref()?.0)
    }

    /// The size that it has, once it is bound.
    pub(super) fn capacity(&self) -> Option<&str> {
        let size = self.status.capacity.storage.as_ref()?;
        (self.status.phase.as_deref() == Some("Bound")).then_some(size.0.as_str())
    }
}
