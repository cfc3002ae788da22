use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

/// How long all of an object's Secrets may take; what is not known by then is not warned of.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many are asked for at a time.
const CONCURRENT: usize = 8;

/// Secrets are asked for one by one and by name, and only whether they exist.
#[derive(Clone)]
pub(super) struct Secrets(Client);

impl Secrets {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Which of `secrets`, by namespace and name, are known not to exist.
    pub(super) async fn missing(&self, secrets: &[(String, String)]) -> BTreeSet<(String, String)> {
        let missing = secrets.iter().cloned().map(|(namespace, name)| {
            let api: Api<Secret> = Api::namespaced(self.0.clone(), &namespace);
            async move { matches!(api.get_metadata_opt(&name).await, Ok(None)).then_some((namespace, name)) }
        });
        let missing = stream::iter(missing).buffered(CONCURRENT).filter_map(std::future::ready).collect();
        tokio::time::timeout(PATIENCE, missing).await.unwrap_or_default()
    }
}
