//! What an agent's decision is made from, as the apiserver has it.
use k8s_openapi::api::{
    core::v1::{Namespace, Secret, ServiceAccount},
    networking::v1::NetworkPolicy,
    storage::v1::StorageClass,
};
use komputer_crds::v1beta1::{
    KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerConnector, KomputerMemory, KomputerOffice,
    KomputerSkill, KomputerTask,
};
use kube::{
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store, store::WriterDropped},
};

use super::{AgentPod, AgentVolume};

/// The caches an agent's decision looks at.
#[derive(Clone)]
pub struct Caches {
    /// Templates of namespaces.
    pub templates: Store<KomputerAgentTemplate>,
    /// Templates of the cluster.
    pub cluster_templates: Store<KomputerAgentClusterTemplate>,
    /// Tasks.
    pub tasks: Store<KomputerTask>,
    /// Memories, without what is to be remembered.
    pub memories: Store<KomputerMemory>,
    /// Skills, without what is to be known.
    pub skills: Store<KomputerSkill>,
    /// Connectors.
    pub connectors: Store<KomputerConnector>,
    /// Offices.
    pub offices: Store<KomputerOffice>,
    /// Agents' pods.
    pub pods: Store<AgentPod>,
    /// Agents' workspaces.
    pub volumes: Store<AgentVolume>,
    /// Kinds of volumes.
    pub storage_classes: Store<StorageClass>,
    /// Agents' service accounts.
    pub accounts: Store<PartialObjectMeta<ServiceAccount>>,
    /// Agents' network policies.
    pub policies: Store<PartialObjectMeta<NetworkPolicy>>,
    /// Namespaces.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Secrets of the operator's namespace.
    pub secrets: Store<Secret>,
}

impl Caches {
    /// Waits until every cache has its first list.
    ///
    /// # Errors
    /// A watch has ended for good.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.templates.wait_until_ready().await?;
        self.cluster_templates.wait_until_ready().await?;
        self.tasks.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        self.volumes.wait_until_ready().await?;
        self.storage_classes.wait_until_ready().await?;
        self.accounts.wait_until_ready().await?;
        self.policies.wait_until_ready().await?;
        self.namespaces.wait_until_ready().await?;
        self.secrets.wait_until_ready().await
    }

    /// How many agents of the namespace that are made from the template have a pod.
    pub(super) fn awake(&self, namespace: &str, template: &str) -> usize {
        let pods = self.pods.state();
        let of_template = pods.iter().filter(|pod| {
            pod.template.as_deref() == Some(template) && pod.metadata.namespace.as_deref() == Some(namespace)
        });
        of_template.count()
    }

    pub(super) fn namespace_is_prepared(&self, namespace: &str) -> bool {
        let has_policy = |name: &str| self.policies.get(&ObjectRef::new(name).within(namespace)).is_some();
        let account = ObjectRef::new(super::build::SERVICE_ACCOUNT).within(namespace);
        self.accounts.get(&account).is_some() && super::build::NETWORK_POLICIES.into_iter().all(has_policy)
    }
}
