//! A namespace, as its user sees it.
use k8s_openapi::api::core::v1::Namespace;
use komputer_crds::validate::Kind;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

/// A namespace.
#[derive(Clone)]
pub struct Space {
    pub client: Client,
    pub namespace: String,
}

/// How the apiserver calls a kind: one of ours, or one of Kubernetes itself.
pub fn resource(kind: &str) -> ApiResource {
    let found = Kind::ALL.into_iter().find(|found| found.name() == kind);
    let (group, version, plural) = match (found, kind) {
        (Some(found), _) => ("komputer.komputer.ai", "v1beta1", found.plural().to_owned()),
        (None, "NetworkPolicy") => ("networking.k8s.io", "v1", "networkpolicies".to_owned()),
        (None, _) => ("", "v1", format!("{}s", kind.to_lowercase())),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural)
}

/// Kinds of a namespace whose objects come and go.
#[allow(dead_code, reason = "not every suite asks")]
pub fn kinds() -> impl Iterator<Item = &'static str> {
    let builtin = ["Pod", "PersistentVolumeClaim", "Secret", "ServiceAccount", "NetworkPolicy"];
    builtin.into_iter().chain(Kind::ALL.into_iter().filter(|kind| kind.is_namespaced()).map(Kind::name))
}

impl Space {
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// Makes the namespace.
    pub async fn create(&self) {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let metadata = ObjectMeta { name: Some(self.namespace.clone()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    }

    /// Applies an object of komputer's with that spec.
    #[allow(dead_code, reason = "not every suite does")]
    pub async fn apply(&self, kind: &str, name: &str, spec: Value) {
        self.apply_with(kind, json!({ "name": name }), spec).await;
    }

    /// Applies an object of komputer's with that metadata and spec.
    pub async fn apply_with(&self, kind: &str, metadata: Value, spec: Value) {
        let name = metadata["name"].as_str().unwrap().to_owned();
        let object = json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": kind, "metadata": metadata, "spec": spec,
        });
        let applied = self.api(kind).patch(&name, &PatchParams::apply("test"), &Patch::Apply(&object)).await;
        applied.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    }

    /// Deletes an object, where it is still there.
    #[allow(dead_code, reason = "not every suite does")]
    pub async fn delete(&self, kind: &str, name: &str) {
        self.delete_by(kind, name, &DeleteParams::default()).await;
    }

    /// Deletes an object in that way, where it is still there.
    pub async fn delete_by(&self, kind: &str, name: &str, how: &DeleteParams) {
        match self.api(kind).delete(name, how).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            result => drop(result.unwrap()),
        }
    }
}
