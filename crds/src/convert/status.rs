//! Status, which only v1beta1 is written in. v1alpha1 shows what its clients read, and takes everything else along.
use serde::Deserialize;
use serde_json::Value;

use super::{Changes, Fields, Version, with_what_is_lost};
use crate::{v1alpha1::words, v1beta1::AgentPhase};

/// Where a v1alpha1 status keeps what it cannot say of v1beta1's.
const KEPT: &str = "v1beta1Fields";

/// Fields that v1alpha1 alone has, or that do not say the same in both. The others are the same in both.
const OWN: [&str; 14] = [
    "phase",
    "taskStatus",
    "lastTaskMessage",
    "lastTaskCostUSD",
    "totalTokens",
    "pvcName",
    "startTime",
    "completionTime",
    "message",
    "modelContextWindow",
    "queuePosition",
    "queueReason",
    "squad",
    "port",
];

/// Takes what `version` keeps of the other version's status in the status itself.
pub(super) fn take_kept(status: &mut Fields, version: Version) -> Changes {
    if version != Version::V1alpha1 {
        return Changes::default();
    }
    let Some(kept) = status.get(KEPT).and_then(|kept| serde_json::from_value(kept.clone()).ok()) else {
        return Changes::default();
    };
    status.remove(KEPT);
    kept
}

/// Keeps `lost` in a status of `version`, where that is the place for it.
pub(super) fn put_kept(status: &mut Fields, version: Version, lost: &mut Changes) {
    if version == Version::V1alpha1
        && !lost.is_empty()
        && let Ok(value) = serde_json::to_value(std::mem::take(lost))
    {
        status.insert(KEPT.into(), value);
    }
}

/// Converts a status in place and answers what the result cannot say.
pub(super) fn convert(status: &mut Fields, to: Version, kept: &Changes) -> Changes {
    let mut own: Fields = OWN.iter().filter_map(|name| status.remove_entry(*name)).collect();
    let there = |own: &Fields| translate(own, status, to);
    let back = |own: &Fields| translate(own, status, to.other());
    let lost = with_what_is_lost(&mut own, kept, there, back);
    status.extend(own);
    lost
}

fn translate(own: &Fields, shared: &Fields, to: Version) -> Fields {
    match to {
        Version::V1alpha1 => to_v1alpha1(own, shared),
        Version::V1beta1 => to_v1beta1(own),
    }
}

fn to_v1alpha1(own: &Fields, shared: &Fields) -> Fields {
    let phase = own.get("phase").and_then(|phase| AgentPhase::deserialize(phase).ok());
    let last_task = |name: &str| shared.get("lastTask").and_then(|task| task.get(name)).and_then(Value::as_str);
    let fields = [
        ("phase", phase.map(words::phase).map(Value::from)),
        ("taskStatus", last_task("phase").map(words::task_status).map(Value::from)),
        ("lastTaskMessage", last_task("message").map(Value::from)),
        ("lastTaskCostUSD", last_task("costUSD").map(Value::from)),
        ("totalTokens", shared.get("tokens").and_then(Value::as_object).map(total).map(Value::from)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect()
}

fn total(tokens: &Fields) -> i64 {
    tokens.values().filter_map(Value::as_i64).fold(0, i64::saturating_add)
}

fn to_v1beta1(own: &Fields) -> Fields {
    let text = |name: &str| own.get(name).and_then(Value::as_str);
    let busy = matches!(text("taskStatus"), Some("InProgress" | "Compacting"));
    let phase = match text("phase") {
        Some("Pending" | "Queued") => "Pending",
        Some("Running") if busy => "Working",
        Some("Running") => "Idle",
        Some("Sleeping") => "Sleeping",
        Some("Succeeded") => "Finished",
        Some("Failed") => "Failed",
        _ => return Fields::new(),
    };
    Fields::from_iter([("phase".into(), phase.into())])
}
