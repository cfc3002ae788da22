//! Writes of what is made, changed and deleted beside the object that is looked at.
use http::{HeaderValue, header::ACCEPT};
use k8s_openapi::{api::core::v1::PersistentVolumeClaim, apimachinery::pkg::api::resource::Quantity};
use komputer_crds::v1beta1::KomputerTask;
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, Request},
    core::PartialObjectMeta,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    CarryOutError, Hands, MANAGER, METADATA, Object,
    error::{exists, is_conflict, is_not_found},
    kind, owner,
};
use crate::{freshness::Write, plan::Exactly};

impl Hands {
    /// Server-side applies a child whose name nobody else would choose, or whose metadata lets no other be meant.
    pub(super) async fn apply<K: Object + Serialize>(
        &self,
        namespace: &str,
        wanted: &K,
    ) -> Result<Option<Write>, CarryOutError> {
        let name = wanted.name_any();
        let api = self.metadata_of::<K>(namespace);
        let params = PatchParams::apply(MANAGER).force().validation_strict();
        let patch = Patch::Apply(wanted);
        let applied = self.write("apply", kind::<K>(), &name, api.patch(&name, &params, &patch)).await?;
        Ok(Write::of::<K>(&applied.metadata))
    }

    /// Creates a child that mostly does not exist yet (docs/decisions/0003), and applies it where it does.
    pub(super) async fn create_or_apply<K: Object + Serialize>(
        &self,
        namespace: &str,
        wanted: &K,
    ) -> Result<Option<Write>, CarryOutError> {
        match self.write("create", kind::<K>(), &wanted.name_any(), self.post(namespace, wanted)).await {
            Err(CarryOutError::Api { source, .. }) if exists(&source) => self.apply(namespace, wanted).await,
            result => Ok(Write::of::<K>(&result?.metadata)),
        }
    }

    /// Creates a child that does not exist yet; one of that name that is another's is never touched.
    pub(super) async fn create<K: Object + Serialize>(
        &self,
        namespace: &str,
        wanted: &K,
    ) -> Result<Option<Write>, CarryOutError> {
        let name = wanted.name_any();
        match self.write("create", kind::<K>(), &name, self.post(namespace, wanted)).await {
            Err(CarryOutError::Api { source, .. }) if exists(&source) => {}
            result => return Ok(Write::of::<K>(&result?.metadata)),
        }
        let api = self.metadata_of::<K>(namespace);
        let found = self.write("read", kind::<K>(), &name, api.get(&name)).await?;
        if owner(&found.metadata).map(|owner| &owner.uid) == owner(wanted.meta()).map(|owner| &owner.uid) {
            Ok(Write::of::<K>(&found.metadata)) // ours already: it was made by who led before
        } else {
            Err(CarryOutError::NotOurs { kind: kind::<K>(), name })
        }
    }

    /// Cancels a task that the operator has made.
    pub(super) async fn cancel(&self, namespace: &str, task: &Exactly) -> Result<Option<Write>, CarryOutError> {
        self.change::<KomputerTask>(namespace, "cancel", task, json!({ "cancel": true })).await
    }

    /// Has a workspace grow.
    pub(super) async fn resize(
        &self,
        namespace: &str,
        volume: &Exactly,
        size: &Quantity,
    ) -> Result<Option<Write>, CarryOutError> {
        let spec = json!({ "resources": { "requests": { "storage": size } } });
        self.change::<PersistentVolumeClaim>(namespace, "resize", volume, spec).await
    }

    /// Changes the spec of a child; one that is gone needs no change.
    async fn change<K: Object>(
        &self,
        namespace: &str,
        action: &'static str,
        Exactly { name, uid }: &Exactly,
        spec: Value,
    ) -> Result<Option<Write>, CarryOutError> {
        let api = self.metadata_of::<K>(namespace);
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..Default::default() };
        let patch = Patch::Merge(json!({ "metadata": { "uid": uid }, "spec": spec }));
        match self.write(action, kind::<K>(), name, api.patch(name, &params, &patch)).await {
            Err(CarryOutError::Api { source, .. }) if is_not_found(&source) => Ok(None),
            result => Ok(Write::of::<K>(&result?.metadata)),
        }
    }

    /// What [`Api::create`] does, with an answer of metadata only.
    async fn post<K: Object + Serialize>(&self, namespace: &str, wanted: &K) -> kube::Result<PartialObjectMeta<K>> {
        let params = PostParams { field_manager: Some(MANAGER.into()), ..Default::default() };
        let body = serde_json::to_vec(wanted).map_err(kube::Error::SerdeError)?;
        let collection = Request::new(K::url_path(&(), Some(namespace)));
        let mut request = collection.create(&params, body).map_err(kube::Error::BuildRequest)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(METADATA));
        self.client.request(request).await
    }

    /// Deletes an object; one that is gone already, or another of its name, is none of ours. One that goes at once is
    /// answered with no version.
    pub(super) async fn delete<K: Object>(
        &self,
        namespace: &str,
        Exactly { name, uid }: &Exactly,
    ) -> Result<Option<Write>, CarryOutError> {
        let api = self.metadata_of::<K>(namespace);
        let preconditions = Some(Preconditions { uid: Some(uid.clone()), resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        match self.write("delete", kind::<K>(), name, api.delete(name, &params)).await {
            Err(CarryOutError::Api { source, .. }) if is_not_found(&source) || is_conflict(&source) => Ok(None),
            result => Ok(result?.left().and_then(|going| Write::of::<K>(&going.metadata))),
        }
    }
}
