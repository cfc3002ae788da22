//! The CustomResourceDefinitions as they are installed.
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::crd::{MergeError, merge_crds};
use serde_json::{Value, json};

use crate::{STORAGE_VERSION, schema::Definition as _, v1alpha1, v1beta1};

/// Why a definition cannot be made. The tests of this crate would have found either.
#[derive(thiserror::Error, Debug)]
pub enum DefinitionError {
    /// A derived schema is not one that the apiserver knows.
    #[error("a derived schema is not an OpenAPI schema: {0}; mend the type it is derived from")]
    Schema(#[from] serde_json::Error),
    /// Two versions of a kind disagree on more than their schema.
    #[error("the versions of a kind disagree: {0}; give them the same names and scope")]
    Versions(#[from] MergeError),
}

/// A kind of both versions.
macro_rules! both {
    ($kind:ident) => {
        converted(vec![v1beta1::$kind::crd(), v1alpha1::$kind::crd()])?
    };
}

/// Every definition, by name.
///
/// # Errors
/// See [`DefinitionError`].
pub fn definitions() -> Result<Vec<CustomResourceDefinition>, DefinitionError> {
    vec![
        both!(KomputerAgent),
        both!(KomputerAgentClusterTemplate),
        both!(KomputerAgentTemplate),
        v1beta1::KomputerBudget::crd(),
        both!(KomputerConfig),
        both!(KomputerConnector),
        both!(KomputerMemory),
        both!(KomputerOffice),
        both!(KomputerSchedule),
        both!(KomputerSkill),
        both!(KomputerSquad),
        v1beta1::KomputerTask::crd(),
    ]
    .into_iter()
    .map(finish)
    .collect()
}

/// A definition as YAML, one document.
///
/// # Errors
/// Never for what [`definitions`] returns.
pub fn to_yaml(definition: &CustomResourceDefinition) -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(definition)
}

/// A kind of several versions, which `komputer-webhooks` converts between. It also adds the `caBundle`: a value in Git,
/// even an empty one, is refused or fought over.
fn converted(versions: Vec<CustomResourceDefinition>) -> Result<CustomResourceDefinition, DefinitionError> {
    let mut definition = merge_crds(versions, STORAGE_VERSION)?;
    definition.spec.conversion = serde_json::from_value(json!({
        "strategy": "Webhook",
        "webhook": {
            "clientConfig": { "service": {
                "name": "komputer-webhooks", "namespace": "komputer-system", "path": "/convert", "port": 443,
            } },
            "conversionReviewVersions": ["v1"],
        },
    }))?;
    Ok(definition)
}

/// What the derive cannot say: an unseen object's status, what keeps GitOps tools from deleting the definition, and no
/// formats that the apiserver does not know.
fn finish(mut definition: CustomResourceDefinition) -> Result<CustomResourceDefinition, DefinitionError> {
    let annotations = [
        ("argocd.argoproj.io/sync-options", "ServerSideApply=true,Prune=false,Delete=false"),
        ("argocd.argoproj.io/sync-wave", "-1"),
        ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
        ("helm.sh/resource-policy", "keep"),
    ];
    let metadata = &mut definition.metadata;
    metadata.annotations.get_or_insert_default().extend(annotations.map(|(key, value)| (key.into(), value.into())));
    for version in &mut definition.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        let mut value = serde_json::to_value(&*schema)?;
        clean(&mut value);
        without_defaults_in_lists(&mut value, false);
        default_status(&mut value);
        mention_name(&mut value);
        *schema = serde_json::from_value(value)?;
    }
    Ok(definition)
}

/// `null` in Git means absent (gitops D5), and `kubectl apply` warns of every `format: uint32` (gitops P6).
fn clean(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("nullable");
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                fields.remove("format");
            }
            fields.values_mut().for_each(clean);
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        _ => {}
    }
}

/// A default inside a list makes one manifest applied twice, once each way, a conflict (gitops D2).
fn without_defaults_in_lists(schema: &mut Value, in_list: bool) {
    if in_list && let Some(fields) = schema.as_object_mut() {
        fields.remove("default");
    }
    for field in schema["properties"].as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        without_defaults_in_lists(field, in_list);
    }
    if let Some(items) = schema.get_mut("items") {
        without_defaults_in_lists(items, true);
    }
    if let Some(values) = schema.get_mut("additionalProperties") {
        without_defaults_in_lists(values, in_list);
    }
}

/// A rule may point at the name where the schema mentions it.
fn mention_name(schema: &mut Value) {
    let mut rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    if rules.any(|rule| rule["fieldPath"] == ".metadata.name") {
        // Of metadata a schema may say nothing else, not even what it is.
        schema["properties"]["metadata"] = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    }
}

/// An object that the operator has not seen yet is in progress, not ready (gitops S1).
fn default_status(schema: &mut Value) {
    let Some(status) = schema.pointer_mut("/properties/status") else { return };
    if status.pointer("/properties/observedGeneration").is_some() {
        status["default"] = json!({ "observedGeneration": -1 });
    }
}
