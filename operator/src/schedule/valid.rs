use komputer_crds::{
    v1beta1::KomputerSchedule,
    validate::{self, Kind},
};
use kube::ResourceExt;
use serde_json::json;

use super::{agent, times::Times};

/// When the schedule's runs begin, or what is wrong with it: admission refuses it, but may have been passed by, or be newer.
pub(super) fn valid(schedule: &KomputerSchedule) -> Result<Times, String> {
    let mut causes = validate::causes(Kind::Schedule, &json!({ "spec": schedule.spec }));
    causes.extend(validate::cause_of_name(Kind::Schedule, &schedule.name_any()));
    if !causes.is_empty() {
        return Err(validate::message(&causes));
    }
    if let Some(name) = schedule.spec.agent.as_ref().map(|_| agent::agent_name(schedule))
        && let Some(longest) = validate::longest_name(Kind::Agent).filter(|longest| name.len() > *longest)
    {
        return Err(format!(
            "spec.agentRef.name: Invalid value: {name:?}: an agent's name has at most {longest} characters; set a shorter one"
        ));
    }
    Times::of(&schedule.spec).ok_or_else(|| {
        "spec.schedule: Invalid value: exactly one of schedule and at must be set; set one and remove the other".into()
    })
}
