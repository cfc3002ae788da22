//! A workspace that is to be another than it is. Volumes can only grow
//! (<https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims>).
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use komputer_crds::v1beta1::Storage;
use kube::ResourceExt;

use super::agent_volume::AgentVolume;
use crate::{conditions::Remark, quantity::thousandths};

/// How a workspace differs from what it is to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// The size to ask for.
    pub(super) grow: Option<Quantity>,
    /// What people are told.
    pub(super) remark: Remark,
}

/// How `volume` differs from `wanted`; `can_grow` says whether its class lets it, where that is known.
pub(super) fn difference(wanted: &Storage, volume: &AgentVolume, can_grow: Option<bool>) -> Option<Difference> {
    let class = volume.spec.storage_class_name.as_deref();
    if let Some(other) = wanted.storage_class_name.as_deref().filter(|wanted| Some(*wanted) != class) {
        return Some(differs(
            "CannotChangeClass",
            format!(
                "is of storage class {}, and spec.storage.storageClassName is {other}; a volume keeps its class; set it back, or \
             make another agent",
                class.unwrap_or("none"),
            ),
            volume,
        ));
    }
    let size = wanted.size.as_ref()?.0.as_str();
    let requested = volume.requested()?;
    let (wants, has) = (thousandths(size)?, thousandths(requested)?);
    if wants < has {
        let words = format!("has {requested}, and spec.storage.size is {size}; a volume cannot shrink; set it back");
        return Some(differs("CannotShrink", words, volume));
    }
    let capacity = volume.capacity()?;
    if wants > has && can_grow == Some(false) {
        return Some(differs(
            "CannotGrow",
            format!(
                "has {requested}, and spec.storage.size is {size}; storage class {} does not let volumes grow; set its \
             allowVolumeExpansion, or spec.storage.size back",
                class.unwrap_or_default(),
            ),
            volume,
        ));
    }
    let grow = (wants > has).then(|| Quantity(size.into()));
    let is_growing = grow.is_some() || thousandths(capacity)? < has;
    let words = format!("has {capacity} and grows to {size}");
    is_growing.then(|| Difference { grow, ..differs("Growing", words, volume) })
}

fn differs(reason: &'static str, words: String, volume: &AgentVolume) -> Difference {
    let message = format!("PersistentVolumeClaim {} {words}", volume.name_any());
    Difference { grow: None, remark: Remark { type_: "WorkspaceOutdated", reason, message } }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(
        wanted: serde_json::Value,
        has: [&str; 2],
        can_grow: Option<bool>,
    ) -> Option<(&'static str, Option<String>)> {
        let volume = json!({
            "metadata": { "name": "ada" },
            "spec": { "storageClassName": "local", "resources": { "requests": { "storage": has[0] } } },
            "status": { "phase": "Bound", "capacity": { "storage": has[1] } },
        });
        let (wanted, volume) = (serde_json::from_value(wanted).unwrap(), serde_json::from_value(volume).unwrap());
        let difference = difference(&wanted, &volume, can_grow)?;
        Some((difference.remark.reason, difference.grow.map(|size| size.0)))
    }

    #[test]
    fn a_workspace_grows_where_its_class_lets_it() {
        let size = |size: &str| json!({ "size": size });
        assert_eq!(said(json!({}), ["5Gi", "5Gi"], Some(true)), None);
        assert_eq!(said(size("5120Mi"), ["5Gi", "5Gi"], Some(true)), None, "the same in other words");
        assert_eq!(said(size("6Gi"), ["5Gi", "5Gi"], Some(true)), Some(("Growing", Some("6Gi".into()))));
        assert_eq!(said(size("6Gi"), ["5Gi", "5Gi"], None), Some(("Growing", Some("6Gi".into()))));
        assert_eq!(said(size("6Gi"), ["6Gi", "5Gi"], Some(true)), Some(("Growing", None)));
        assert_eq!(said(size("6Gi"), ["6Gi", "7Gi"], Some(true)), None, "it may be larger");
        assert_eq!(said(size("6Gi"), ["5Gi", "5Gi"], Some(false)), Some(("CannotGrow", None)));
        assert_eq!(said(size("4Gi"), ["5Gi", "5Gi"], Some(true)), Some(("CannotShrink", None)));
    }

    #[test]
    fn a_workspace_keeps_its_class() {
        let class = |class: &str| json!({ "storageClassName": class, "size": "9Gi" });
        assert_eq!(said(class("fast"), ["5Gi", "5Gi"], Some(true)), Some(("CannotChangeClass", None)));
        assert_eq!(said(class("local"), ["5Gi", "5Gi"], Some(true)), Some(("Growing", Some("9Gi".into()))));
    }

    #[test]
    fn what_is_not_bound_yet_cannot_grow_yet() {
        let volume = json!({ "metadata": {}, "spec": { "resources": { "requests": { "storage": "5Gi" } } } });
        let wanted = Storage { size: Some(Quantity("6Gi".into())), storage_class_name: None };
        assert_eq!(difference(&wanted, &serde_json::from_value(volume).unwrap(), None), None);
    }
}
