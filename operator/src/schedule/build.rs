//! From values to manifests. No decisions here.
use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use komputer_crds::v1beta1::{AgentRef, KomputerSchedule, KomputerTask, KomputerTaskSpec};
use kube::{Resource, ResourceExt};
use sha2::{Digest, Sha256};

use super::agent::{SCHEDULE, agent_name};
use crate::carry_out::MANAGER;

/// Says at which time a run was to begin.
const SCHEDULED_AT: &str = "komputer.ai/scheduled-at";

/// What the task of the run of `time` is called: the same whoever makes it, so that nobody makes it twice.
pub(super) fn run_name(schedule: &str, time: Timestamp) -> String {
    format!("{schedule}-{}", time.as_second())
}

/// The time of the run whose task is called so; nothing where it was triggered.
pub(super) fn time_of_run(schedule: &str, task: &str) -> Option<Timestamp> {
    let seconds = task.strip_prefix(schedule)?.strip_prefix('-')?;
    seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
}

/// What the task of a run is called that was triggered by `value`; one of the same value after another is called otherwise.
pub(super) fn triggered_name(schedule: &str, value: &str, before: Option<Timestamp>) -> String {
    let before = before.map_or_else(String::new, |time| time.to_string());
    format!("{schedule}-t{}", &hex::encode(Sha256::digest(format!("{before} {value}")))[..9])
}

/// The task of a run.
pub(super) fn task(schedule: &KomputerSchedule, name: &str, time: Option<Timestamp>) -> KomputerTask {
    let wanted = &schedule.spec.task;
    let spec = KomputerTaskSpec {
        agent_ref: AgentRef { name: agent_name(schedule) },
        instructions: wanted.instructions.clone(),
        model: wanted.model.clone(),
        max_cost_usd: wanted.max_cost_usd.clone(),
        max_turns: wanted.max_turns,
        deadline: wanted.deadline.clone(),
        retries: wanted.retries,
        ..Default::default()
    };
    let mut task = KomputerTask::new(name, spec);
    task.metadata = child_of(schedule, name);
    task.metadata.owner_references = schedule.controller_owner_ref(&()).map(|owner| vec![owner]);
    task.metadata.annotations = time.map(|time| [(SCHEDULED_AT.into(), time.to_string())].into());
    task
}

/// Metadata of a schedule's child, without an owner: komputer's own labels and nothing copied from the schedule.
pub(super) fn child_of(schedule: &KomputerSchedule, name: &str) -> ObjectMeta {
    let schedule_name = schedule.name_any();
    let labels: BTreeMap<String, String> = [
        ("app.kubernetes.io/name", "komputer-schedule"),
        ("app.kubernetes.io/instance", &schedule_name),
        ("app.kubernetes.io/managed-by", MANAGER),
        ("app.kubernetes.io/part-of", "komputer"),
        ("komputer.ai/agent-name", &agent_name(schedule)),
        (SCHEDULE, &schedule_name),
    ]
    .map(|(key, value)| (key.into(), value.into()))
    .into();
    ObjectMeta { name: Some(name.into()), namespace: schedule.namespace(), labels: Some(labels), ..Default::default() }
}
