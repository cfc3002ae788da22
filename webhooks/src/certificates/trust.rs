//! Whom the apiserver trusts: the `caBundle` of the definitions and of the webhook configuration.
//!
//! It is applied under a field manager that owns nothing else, so that whoever installs these objects keeps the rest,
//! and neither sees a difference.
use std::fmt;

use futures::{Stream, StreamExt as _, stream::BoxStream};
use k8s_openapi::{
    ByteString, api::admissionregistration::v1::ValidatingWebhookConfiguration,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::watch::watch_object;

/// The field manager of every `caBundle`.
const MANAGER: &str = "komputer-webhooks";

/// An object with `caBundle`s.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A CustomResourceDefinition, by name.
    Definition(String),
    /// A ValidatingWebhookConfiguration, by name.
    Configuration(String),
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definition(name) => write!(formatter, "CustomResourceDefinition {name}"),
            Self::Configuration(name) => write!(formatter, "ValidatingWebhookConfiguration {name}"),
        }
    }
}

/// The `caBundle`s of an object, by the name of the webhook or, in a definition, by none.
pub(super) type Bundles = Vec<(Option<String>, Option<ByteString>)>;

impl Target {
    /// Its `caBundle`s, now and whenever it changes; none where it does not exist.
    pub(super) fn watch(&self, client: &Client) -> BoxStream<'static, (Self, Bundles)> {
        match self {
            Self::Definition(name) => self.bundles(watch_object(Api::all(client.clone()), name), of_definition),
            Self::Configuration(name) => self.bundles(watch_object(Api::all(client.clone()), name), of_configuration),
        }
    }

    fn bundles<K: 'static>(
        &self,
        objects: impl Stream<Item = Option<K>> + Send + 'static,
        of: fn(K) -> Bundles,
    ) -> BoxStream<'static, (Self, Bundles)> {
        let target = self.clone();
        objects.map(move |object| (target.clone(), object.map(of).unwrap_or_default())).boxed()
    }

    /// Has the apiserver trust `bundle` for every webhook in `bundles`.
    pub(super) async fn trust(&self, client: &Client, bundles: &Bundles, bundle: &str) -> Result<(), kube::Error> {
        let parameters = PatchParams::apply(MANAGER).force();
        let bundle = ByteString(bundle.as_bytes().to_vec());
        match self {
            Self::Definition(name) => {
                let patch = Patch::Apply(definition_patch(name, &bundle));
                Api::<CustomResourceDefinition>::all(client.clone()).patch(name, &parameters, &patch).await?;
            }
            Self::Configuration(name) => {
                let patch = Patch::Apply(configuration_patch(name, bundles, &bundle));
                Api::<ValidatingWebhookConfiguration>::all(client.clone()).patch(name, &parameters, &patch).await?;
            }
        }
        Ok(())
    }
}

/// Whether every one of `bundles` is `bundle`.
pub(super) fn all_are(bundles: &Bundles, bundle: &str) -> bool {
    all_accept(bundles, |current| current == bundle)
}

/// Whether every one of `bundles` is there and `accepts` says yes to it.
pub(super) fn all_accept(bundles: &Bundles, accepts: impl Fn(&str) -> bool) -> bool {
    let text = |bundle: &Option<ByteString>| String::from_utf8(bundle.as_ref()?.0.clone()).ok();
    bundles.iter().all(|(_, bundle)| text(bundle).is_some_and(|bundle| accepts(&bundle)))
}

fn of_definition(definition: CustomResourceDefinition) -> Bundles {
    let conversion = definition.spec.conversion.filter(|conversion| conversion.strategy == "Webhook");
    let client = conversion.and_then(|conversion| conversion.webhook?.client_config);
    client.map(|client| (None, client.ca_bundle)).into_iter().collect()
}

fn of_configuration(configuration: ValidatingWebhookConfiguration) -> Bundles {
    let webhooks = configuration.webhooks.into_iter().flatten();
    webhooks.map(|webhook| (Some(webhook.name), webhook.client_config.ca_bundle)).collect()
}

fn definition_patch(name: &str, bundle: &ByteString) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": name },
        "spec": { "conversion": { "webhook": { "clientConfig": { "caBundle": bundle } } } },
    })
}

fn configuration_patch(name: &str, bundles: &Bundles, bundle: &ByteString) -> Value {
    let webhook = |name: &String| json!({ "name": name, "clientConfig": { "caBundle": bundle } });
    let webhooks: Vec<Value> = bundles.iter().filter_map(|(name, _)| name.as_ref()).map(webhook).collect();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": name }, "webhooks": webhooks,
    })
}
