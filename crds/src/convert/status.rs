//! Status, which only v1beta1 is written in. v1alpha1 shows what its clients read, and takes everything else along.
use serde_json::Value;

use super::{Changes, Fields, Version, kind::Status, with_what_is_lost};

/// Where a v1alpha1 status keeps what it cannot say of v1beta1's.
const KEPT: &str = "v1beta1Fields";

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
pub(super) fn convert(rules: &Status, status: &mut Fields, to: Version, kept: &Changes) -> Changes {
    let mut own: Fields = rules.own.iter().filter_map(|name| status.remove_entry(*name)).collect();
    let there = |own: &Fields| (rules.translate)(own, status, to);
    let back = |own: &Fields| (rules.translate)(own, status, to.other());
    let kept = kept.of_translated(|name| rules.own.contains(&name));
    let lost = with_what_is_lost(&mut own, &kept, there, back);
    status.extend(own);
    lost
}

/// Of a v1alpha1 status, its message is what v1beta1's condition Ready says.
pub(super) fn with_ready_message(mut translated: Fields, shared: &Fields, to: Version) -> Fields {
    if to == Version::V1alpha1 {
        translated.extend(ready_message(shared).map(|message| ("message".to_owned(), message)));
    }
    translated
}

/// What the condition Ready says.
pub(super) fn ready_message(status: &Fields) -> Option<Value> {
    let mut conditions = status.get("conditions")?.as_array()?.iter();
    let ready = conditions.find(|condition| condition["type"] == "Ready")?;
    ready.get("message").filter(|message| message.is_string()).cloned()
}
