use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use komputer_crds::v1beta1::{KomputerAgent, Storage, Template};
use kube::ResourceExt;

use super::child_of;

/// What a workspace has where nobody says.
const DEFAULT_SIZE: &str = "5Gi";

/// What the agent's workspace is to be, with its size.
pub(in crate::agent) fn storage(agent: &KomputerAgent, template: &Template) -> Storage {
    let mut storage = agent.spec.storage.clone().or_else(|| template.storage.clone()).unwrap_or_default();
    storage.size.get_or_insert_with(|| Quantity(DEFAULT_SIZE.into()));
    storage
}

/// The agent's workspace. Only one pod may use it: two Claude processes on one session would fork its transcript.
pub(in crate::agent) fn volume(agent: &KomputerAgent, template: &Template) -> PersistentVolumeClaim {
    let storage = storage(agent, template);
    PersistentVolumeClaim {
        metadata: child_of(agent, agent.name_any(), BTreeMap::new()),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOncePod".into()]),
            resources: Some(VolumeResourceRequirements {
                requests: storage.size.map(|size| [("storage".into(), size)].into()),
                ..Default::default()
            }),
            storage_class_name: storage.storage_class_name,
            ..Default::default()
        }),
        ..Default::default()
    }
}
