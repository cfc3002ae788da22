use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use komputer_crds::v1beta1::{KomputerAgent, Storage, Template};
use kube::ResourceExt;

use super::child_of;
use crate::agent::workspace::DEFAULT_SIZE;

/// What the agent's workspace is to be.
pub(in crate::agent) fn storage(agent: &KomputerAgent, template: &Template) -> Storage {
    agent.spec.storage.clone().or_else(|| template.storage.clone()).unwrap_or_default()
}

/// The agent's workspace. Only one pod may use it: two Claude processes on one session would fork its transcript.
pub(in crate::agent) fn volume(agent: &KomputerAgent, template: &Template) -> PersistentVolumeClaim {
    let storage = storage(agent, template);
    let size = storage.size.unwrap_or_else(|| Quantity(DEFAULT_SIZE.into()));
    PersistentVolumeClaim {
        metadata: child_of(agent, agent.name_any(), BTreeMap::new()),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOncePod".into()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".into(), size)].into()),
                ..Default::default()
            }),
            storage_class_name: storage.storage_class_name,
            ..Default::default()
        }),
        ..Default::default()
    }
}
