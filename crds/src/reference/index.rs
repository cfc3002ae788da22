use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::{
    file_name,
    markdown::{GENERATED, code, codes, head, prose, row},
};
use crate::{GROUP, STORAGE_VERSION};

/// The page that lists the kinds.
pub(super) fn index(definitions: &[CustomResourceDefinition]) -> String {
    let mut definitions: Vec<_> = definitions.iter().collect();
    definitions.sort_by_key(|definition| &definition.spec.names.kind);
    let kinds: String = definitions.into_iter().map(kind).collect();
    format!(
        "{GENERATED}\n\n# API reference\n\nThe kinds of the group `{GROUP}`. `{STORAGE_VERSION}` is stored and preferred; older versions are served for what was \
        written before it, and converted.\n\n{}{kinds}\n{READING}",
        head(["Kind", "What it is", "Scope", "Short name", "Versions"]),
    )
}

const READING: &str = "\
## Reading the pages

- A field that is not **required** may be left out, and its description says what that means. Almost nothing is defaulted by the
  apiserver, so what is in Git is what is in the cluster; where something is, the page says so.
- *What is in italics* is what you are told where a rule is broken.
- An **immutable** field cannot be changed, added or removed; create another object instead.
- A list that is *merged by* a field takes items from several owners, each under its own key. One that is *replaced as a whole* has one
  owner.
- `status` is komputer's; what a manifest says there is dropped.
- Every field has an address, like [komputertask.md#v1beta1.spec.agentRef.name](komputertask.md#v1beta1.spec.agentRef.name).

The same is in `kubectl explain`, and in [JSON Schemas](../schemas) for editors and for checks without a cluster.
";

fn kind(definition: &CustomResourceDefinition) -> String {
    let (names, versions) = (&definition.spec.names, &definition.spec.versions);
    let described = |version: &&_| description(version).is_some();
    let what = versions.iter().find(described).and_then(description).unwrap_or_default();
    row([
        format!("[{}]({})", names.kind, file_name(definition)),
        prose(what),
        definition.spec.scope.to_lowercase(),
        codes(names.short_names.iter().flatten()),
        versions.iter().map(|version| code(&version.name)).collect::<Vec<_>>().join(", "),
    ])
}

fn description(
    version: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionVersion,
) -> Option<&str> {
    version.schema.as_ref()?.open_api_v3_schema.as_ref()?.description.as_deref()
}
