//! A schedule, its tasks and a clock: plans are carried out on values, whole or in part.
mod agents;
mod crashes;
mod history;
mod policies;
mod times;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use komputer_crds::v1beta1::{
    KomputerAgent, KomputerSchedule, KomputerScheduleStatus, KomputerTask, StatusConditions, TaskPhase,
};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{Observed, SCHEDULE, TRIGGER, decide};
use crate::plan::{Child, Plan, Removal};

/// All there is.
#[derive(Clone, Debug, PartialEq)]
struct World {
    schedule: KomputerSchedule,
    tasks: BTreeMap<String, KomputerTask>,
    agent: Option<KomputerAgent>,
    former: Option<KomputerAgent>,
    now: Timestamp,
    /// Reasons and messages of what people were told.
    told: Vec<(String, String)>,
    /// The names of all tasks that were ever made, in order; one that is made twice is there twice.
    made: Vec<String>,
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn agent(name: &str, more: &Value) -> KomputerAgent {
    let mut metadata = json!({ "name": name, "namespace": "team", "uid": "a1" });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let agent = json!({ "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": metadata, "spec": {} });
    serde_json::from_value(agent).unwrap()
}

impl World {
    /// A schedule with these fields beside what all have, created at midnight of a Monday, and the agent `ada`.
    fn new(spec: &Value) -> Self {
        let mut all = json!({ "task": { "instructions": "i" }, "agentRef": { "name": "ada" } });
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let now = "2026-03-02T00:00:00Z";
        let schedule = json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSchedule", "spec": all,
            "metadata": { "name": "s", "namespace": "team", "uid": "u1", "generation": 1, "creationTimestamp": now },
        });
        Self {
            schedule: serde_json::from_value(schedule).unwrap(),
            tasks: BTreeMap::new(),
            agent: Some(agent("ada", &json!({}))),
            former: None,
            now: time(now),
            told: vec![],
            made: vec![],
        }
    }

    fn plan(&self) -> Plan<KomputerScheduleStatus> {
        let mut tasks: Vec<_> = self.tasks.values().cloned().map(Arc::new).collect();
        tasks.sort_by_key(|task| (task.creation_timestamp(), task.name_any()));
        decide(&Observed {
            schedule: Arc::new(self.schedule.clone()),
            tasks,
            agent: self.agent.clone().map(Arc::new),
            former: self.former.clone().map(Arc::new),
            namespace_is_going: false,
            written: None,
            now: self.now,
        })
    }

    /// Carries out the first `steps` steps of a plan, and answers whether there were more.
    fn carry_out(&mut self, plan: &Plan<KomputerScheduleStatus>, steps: usize) -> bool {
        let all = plan.remove.len() + plan.apply.len() + usize::from(plan.status.is_some());
        let is_part = steps < all;
        plan.remove.iter().take(steps).for_each(|removal| self.remove(removal));
        let steps = steps.saturating_sub(plan.remove.len());
        plan.apply.iter().take(steps).for_each(|child| self.apply(child));
        if steps > plan.apply.len()
            && let Some(status) = &plan.status
        {
            // As it comes back from the apiserver.
            self.schedule.status = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
            self.told.extend(plan.reports.iter().map(|report| (report.reason.clone(), report.message.clone())));
        }
        is_part
    }

    fn remove(&mut self, removal: &Removal) {
        match removal {
            Removal::Task(task) => assert_eq!(self.tasks.remove(&task.name).unwrap().uid(), Some(task.uid.clone())),
            Removal::Agent(gone) => {
                let is_former = self.former.as_ref().is_some_and(|former| former.name_any() == gone.name);
                let found = if is_former { self.former.take() } else { self.agent.take() };
                assert_eq!(found.unwrap().uid(), Some(gone.uid.clone()));
            }
            other => panic!("{other:?}"),
        }
    }

    fn apply(&mut self, child: &Child) {
        match child {
            Child::Task(task) => {
                let name = task.name_any();
                if !self.tasks.contains_key(&name) {
                    let mut task = (**task).clone();
                    task.metadata.uid = Some(format!("uid-{}", self.made.len()));
                    task.metadata.creation_timestamp = Some(Time(self.now));
                    self.made.push(name.clone());
                    self.tasks.insert(name, task);
                }
            }
            Child::Cancellation(task) => self.tasks.get_mut(&task.name).unwrap().spec.cancel = Some(true),
            Child::Agent(agent) => {
                let mut agent = (**agent).clone();
                agent.metadata.uid = Some("a1".into());
                agent.metadata.resource_version = None;
                self.agent = Some(agent);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Decides and carries out until nothing is left to do.
    fn settle(&mut self) -> &mut Self {
        for _ in 0..10 {
            let plan = self.plan();
            self.carry_out(&plan, usize::MAX);
            if plan.status.is_none() && plan.apply.is_empty() && plan.remove.is_empty() {
                return self;
            }
        }
        panic!("it does not settle: {:#?}", self.plan());
    }

    fn at(&mut self, now: &str) -> &mut Self {
        self.now = time(now);
        self.settle()
    }

    fn phase(&mut self, task: &str, phase: TaskPhase, cost: &str) -> &mut Self {
        let status = json!({ "phase": phase, "costUSD": cost, "tokens": { "input": 7, "output": 3 } });
        self.tasks.get_mut(task).unwrap().status = serde_json::from_value(status).unwrap();
        self
    }

    /// The task of that name ends so, and the schedule knows.
    fn ends(&mut self, task: &str, phase: TaskPhase, cost: &str) -> &mut Self {
        self.phase(task, phase, cost).settle()
    }

    fn spec(&mut self, field: &str, value: &Value) -> &mut Self {
        let mut spec = serde_json::to_value(&self.schedule.spec).unwrap();
        spec[field] = value.clone();
        self.schedule.spec = serde_json::from_value(spec).unwrap();
        self.schedule.metadata.generation = self.schedule.metadata.generation.map(|generation| generation + 1);
        self.settle()
    }

    fn trigger(&mut self, value: &str) -> &mut Self {
        self.schedule.annotations_mut().insert(TRIGGER.into(), value.into());
        self.settle()
    }

    fn status(&self) -> KomputerScheduleStatus {
        self.schedule.status.clone().unwrap()
    }

    fn next(&self) -> Option<String> {
        self.status().next_run_time.map(|time| time.0.to_string())
    }

    /// The times of the runs so far, where they were not triggered.
    fn runs(&self) -> Vec<String> {
        let seconds = self.made.iter().map(|name| name.strip_prefix("s-").unwrap());
        let read = |text: &str| text.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
        seconds.map(|text| read(text).map_or_else(|| text.to_owned(), |time| time.to_string())).collect()
    }

    fn last(&self) -> String {
        self.made.last().unwrap().clone()
    }

    /// Ready's status and reason.
    fn ready(&self) -> (String, String) {
        let status = self.status();
        let ready = &status.conditions()[0];
        (ready.status.clone(), ready.reason.clone())
    }

    fn message(&self) -> String {
        self.status().conditions()[0].message.clone()
    }

    fn reasons(&self) -> Vec<&str> {
        self.told.iter().map(|(reason, _)| reason.as_str()).collect()
    }
}

fn ready(status: &str, reason: &str) -> (String, String) {
    (status.into(), reason.into())
}
