use std::time::Duration;

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

    /// Which of `names` are known not to exist in `namespace`.
    pub(super) async fn missing(&self, namespace: &str, names: Vec<String>) -> Vec<String> {
        let api: Api<Secret> = Api::namespaced(self.0.clone(), namespace);
        let missing = names.into_iter().map(|name| {
            let api = api.clone();
            async move { matches!(api.get_metadata_opt(&name).await, Ok(None)).then_some(name) }
        });
        let missing = stream::iter(missing).buffered(CONCURRENT).filter_map(std::future::ready).collect();
        tokio::time::timeout(PATIENCE, missing).await.unwrap_or_default()
    }
}
