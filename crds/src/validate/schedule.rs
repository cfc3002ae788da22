use serde_json::Value;

use super::{
    Cause, agent,
    duration::check_duration,
    names::{check_model, check_object_name},
    task::check_limit,
    typed::check_type,
};
use crate::{
    recurrence::{Cron, time_zone},
    v1beta1::KomputerScheduleSpec,
};

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerScheduleSpec>("spec", spec, causes);
    check_cron("spec.schedule", spec.get("schedule"), causes);
    check_time_zone("spec.timeZone", spec.get("timeZone"), causes);
    check_object_name("spec.agentRef.name", spec.pointer("/agentRef/name"), causes);
    check_model("spec.task.model", spec.pointer("/task/model"), causes);
    check_duration("spec.task.deadline", spec.pointer("/task/deadline"), causes);
    check_limit("spec.task.maxCostUSD", spec.pointer("/task/maxCostUSD"), causes);
    if let Some(spec) = spec.get("agent") {
        agent::check("spec.agent", spec, causes);
    }
}

fn check_cron(field: &str, cron: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(value) = cron else { return };
    if let Some(Err(error)) = value.as_str().map(Cron::parse) {
        let message = error.to_string();
        let why = format!("{}; correct it", message.trim_end_matches('.'));
        causes.push(Cause::invalid(field, value, why));
    }
}

/// Checks that there is a time zone of that name.
pub(super) fn check_time_zone(field: &str, zone: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(value) = zone else { return };
    if value.as_str().is_some_and(|name| time_zone(Some(name)).is_none()) {
        let why = "there is no time zone of that name; name one like Europe/Berlin, or remove it for UTC";
        causes.push(Cause::invalid(field, value, why));
    }
}
