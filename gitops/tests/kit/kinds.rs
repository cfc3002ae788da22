//! The kinds there are, as their definitions say it, so that a new kind is tested without a change here.
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// One version of a kind.
#[derive(Clone, Debug)]
pub struct Kind {
    pub name: String,
    pub version: String,
    pub plural: String,
    pub namespaced: bool,
    pub stored: bool,
    schema: Value,
}

impl Kind {
    /// Whether its objects have a status.
    pub fn has_status(&self) -> bool {
        self.schema["properties"].get("status").is_some()
    }

    /// The field of its spec that suspends it, where there is one. Whatever it is called, it is found here.
    pub fn suspends_by(&self) -> Option<String> {
        let fields = self.spec()["properties"].as_object()?;
        let found = fields.iter().find(|(name, schema)| {
            schema["type"] == "boolean" && (name.starts_with("suspend") || name.starts_with("pause"))
        });
        found.map(|(name, _)| name.clone())
    }

    /// The schema of its spec.
    pub fn spec(&self) -> &Value {
        &self.schema["properties"]["spec"]
    }

    pub fn resource(&self) -> ApiResource {
        let kind = GroupVersionKind::gvk(komputer_crds::GROUP, &self.version, &self.name);
        ApiResource::from_gvk_with_plural(&kind, &self.plural)
    }

    pub fn api_version(&self) -> String {
        format!("{}/{}", komputer_crds::GROUP, self.version)
    }
}

/// Every version of every kind.
pub fn kinds() -> &'static [Kind] {
    static KINDS: LazyLock<Vec<Kind>> =
        LazyLock::new(|| komputer_crds::definitions().unwrap().iter().flat_map(versions).collect());
    &KINDS
}

fn versions(definition: &CustomResourceDefinition) -> Vec<Kind> {
    let spec = &definition.spec;
    let kind = |version: &Value| Kind {
        name: spec.names.kind.clone(),
        version: version["name"].as_str().unwrap().into(),
        plural: spec.names.plural.clone(),
        namespaced: spec.scope == "Namespaced",
        stored: version["storage"] == true,
        schema: version["schema"]["openAPIV3Schema"].clone(),
    };
    json!(spec.versions).as_array().unwrap().iter().map(kind).collect()
}
