//! Writes of the object that is looked at.
use http::{HeaderValue, header::ACCEPT};
use kube::{
    Resource, ResourceExt,
    api::{Patch, PatchParams, Request},
    core::PartialObjectMeta,
};
use serde::Serialize;
use serde_json::json;

use super::{
    CarryOutError, Hands, METADATA, STATUS_MANAGER,
    error::{is_conflict, is_not_found},
    kind,
};
use crate::freshness::Version;

impl Hands {
    pub(super) async fn write_status<O, S>(&self, object: &O, status: &S) -> Result<Option<Version>, CarryOutError>
    where
        O: Resource<DynamicType = ()>,
        S: Serialize,
    {
        let name = object.name_any();
        let request = self.patch_status(object, &name, status);
        match self.write("write the status of", kind::<O>(), &name, request).await {
            Err(CarryOutError::Api { source, .. }) if is_not_found(&source) => Ok(None), // deleted meanwhile
            Err(CarryOutError::Api { source, .. }) if is_conflict(&source) => Err(CarryOutError::Outdated),
            result => Ok(Version::of(&result?.metadata)),
        }
    }

    /// What [`Api::patch_status`] does, for kinds with and without namespaces, with an answer of metadata only.
    async fn patch_status<O, S>(&self, object: &O, name: &str, status: &S) -> kube::Result<PartialObjectMeta<O>>
    where
        O: Resource<DynamicType = ()>,
        S: Serialize,
    {
        // The uid keeps a status from landing on another object of the same name; the version keeps one from overwriting a
        // later one, as of a leader that was stopped with a request on its way, and sums from being added to an old one.
        let metadata = json!({ "name": name, "uid": object.uid(), "resourceVersion": object.resource_version() });
        let patch = Patch::Apply(json!({
            "apiVersion": O::api_version(&()), "kind": O::kind(&()), "metadata": metadata, "status": status,
        }));
        let params = PatchParams::apply(STATUS_MANAGER).force();
        let collection = Request::new(O::url_path(&(), object.namespace().as_deref()));
        let request = collection.patch_subresource("status", name, &params, &patch);
        let mut request = request.map_err(kube::Error::BuildRequest)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(METADATA));
        self.client.request(request).await
    }
}
