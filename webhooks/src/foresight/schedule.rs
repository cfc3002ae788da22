use jiff::Timestamp;
use komputer_crds::recurrence::{Cron, time_zone};
use serde_json::json;

use super::Change;

/// Fields that say when a run begins.
const TIMES: [&str; 3] = ["schedule", "at", "timeZone"];

/// What comes of a change of a schedule.
pub(super) fn foresight(change: Change<'_>, now: Timestamp) -> Option<String> {
    if change.is_new() {
        return None;
    }
    let is_suspended = change.new.pointer("/spec/suspend") == Some(&json!(true));
    if is_suspended {
        return change
            .of("/spec/suspend")
            .map(|_| "spec.suspend: no run begins by itself; one that is under way goes on".into());
    }
    let mut fields = TIMES.into_iter().chain(["suspend"]);
    let field = fields.find(|field| change.of(&format!("/spec/{field}")).is_some())?;
    Some(format!("spec.{field}: the next run is at {}", next(change, now)?))
}

fn next(change: Change<'_>, now: Timestamp) -> Option<Timestamp> {
    if let Some(at) = change.text("/spec/at") {
        return at.parse().ok();
    }
    let cron = Cron::parse(change.text("/spec/schedule")?).ok()?;
    cron.next(now, &time_zone(change.text("/spec/timeZone"))?)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn told(old: Value, new: Value) -> Option<String> {
        let old = if old.is_null() { old } else { json!({ "spec": old }) };
        let change = Change { namespace: "team", name: "s", old: &old, new: &json!({ "spec": new }) };
        foresight(change, "2026-03-10T12:00:30Z".parse().unwrap())
    }

    #[test]
    fn when_the_next_run_begins_is_told() {
        let noon = json!({ "schedule": "0 9 * * *", "timeZone": "Europe/Berlin" });
        let next = |field: &str, time: &str| Some(format!("spec.{field}: the next run is at {time}"));
        assert_eq!(told(Value::Null, noon.clone()), None, "nothing is told of a new one");
        let hourly = json!({ "schedule": "0 * * * *", "timeZone": "Europe/Berlin" });
        assert_eq!(told(hourly.clone(), noon.clone()), next("schedule", "2026-03-11T08:00:00Z"));
        assert_eq!(told(json!({ "schedule": "0 9 * * *" }), noon.clone()), next("timeZone", "2026-03-11T08:00:00Z"));
        assert_eq!(told(noon.clone(), noon.clone()), None);
        let once = json!({ "at": "2026-05-01T00:00:00Z" });
        assert_eq!(told(json!({ "at": "2026-04-01T00:00:00Z" }), once), next("at", "2026-05-01T00:00:00Z"));

        let suspended = json!({ "schedule": "0 9 * * *", "timeZone": "Europe/Berlin", "suspend": true });
        let stops = told(noon.clone(), suspended.clone()).unwrap();
        assert!(stops.starts_with("spec.suspend: no run begins"), "{stops}");
        assert_eq!(told(suspended, noon), next("suspend", "2026-03-11T08:00:00Z"));
        assert_eq!(told(hourly, json!({ "schedule": "never" })), None, "that is refused in other words");
    }
}
