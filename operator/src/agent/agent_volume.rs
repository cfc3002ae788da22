use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, VolumeResourceRequirements},
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
    pub resources: VolumeResourceRequirements,
}

/// What there is.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct AgentVolumeStatus {
    /// `Pending`, `Bound` or `Lost`.
    pub phase: Option<String>,
    /// Its size.
    pub capacity: BTreeMap<String, Quantity>,
}

impl AgentVolume {
    /// The size that was asked for.
    pub(super) fn requested(&self) -> Option<&str> {
        self.spec.resources.requests.as_ref()?.get("storage").map(|size| size.0.as_str())
    }

    /// The size that it has, once it is bound.
    pub(super) fn capacity(&self) -> Option<&str> {
        let size = self.status.capacity.get("storage")?;
        (self.status.phase.as_deref() == Some("Bound")).then_some(size.0.as_str())
    }
}
