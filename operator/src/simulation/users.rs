//! What people do: they create, change and delete what is theirs.
use serde_json::{Value, json};

use super::{
    apiserver::{Apiserver, mounts},
    random::Random,
};

const API: &str = "komputer.komputer.ai/v1beta1";
const NAMESPACES: [&str; 2] = ["team", "other"];
const AGENTS: [&str; 4] = ["ada", "bob", "cyd", "s0-agent"];
const TEMPLATES: [&str; 2] = ["default", "small"];
/// The budget that is there from the beginning and stays.
pub(super) const BUDGET: &str = "all";

/// Writes that somebody else than the operator does.
pub(super) struct Users<'a> {
    pub(super) etcd: &'a mut Apiserver,
    pub(super) random: &'a mut Random,
    /// How many objects were made: tasks have names of their own.
    pub(super) made: &'a mut usize,
}

impl Users<'_> {
    /// What is there before anything happens.
    pub(super) fn begin(&mut self) {
        for namespace in NAMESPACES {
            self.create("namespaces", "", namespace, "v1", "Namespace", json!({}));
            for template in TEMPLATES {
                let limit = self.random.of(&[json!(null), json!(1), json!(2), json!(3)]);
                let spec = json!({ "maxConcurrentAgents": limit });
                self.create("komputeragenttemplates", namespace, template, API, "KomputerAgentTemplate", spec);
            }
            let selector = self.random.of(&[json!({}), json!({ "matchLabels": { "team": "red" } })]);
            let spec = json!({ "limitUSD": "0.02", "period": "Total", "selector": selector });
            self.create("komputerbudgets", namespace, BUDGET, API, "KomputerBudget", spec);
        }
    }

    fn create(&mut self, plural: &str, namespace: &str, name: &str, api: &str, kind: &str, spec: Value) {
        let labels = json!({ "team": if name == "cyd" { "blue" } else { "red" } });
        let mut object = json!({ "apiVersion": api, "kind": kind, "metadata": { "labels": labels }, "spec": spec });
        object["spec"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.etcd.create((plural.into(), namespace.into(), name.into()), object);
    }

    /// Somebody does something.
    pub(super) fn act(&mut self) {
        let namespace = self.random.of(&NAMESPACES);
        match self.random.below(100) {
            0..=14 => self.make_agent(namespace),
            15..=44 => self.make_task(namespace),
            45..=52 => self.edit("komputeragents", namespace, Self::edit_agent),
            53..=57 => self.edit("komputertasks", namespace, |_, _| json!({ "cancel": true })),
            58..=61 => self.delete("komputeragents", namespace),
            62..=63 => self.delete("komputertasks", namespace),
            64..=68 => self.make_squad(namespace),
            69..=71 => self.edit("komputersquads", namespace, Self::squad),
            72 => self.delete("komputersquads", namespace),
            73..=76 => self.make_schedule(namespace),
            77..=78 => self.edit("komputerschedules", namespace, Self::edit_schedule),
            79 => self.trigger(namespace),
            80 => self.delete("komputerschedules", namespace),
            81..=85 => self.raise(namespace),
            86..=87 => self.make_budget(namespace),
            88 => self.delete_budget(namespace),
            89 => self.make_office(namespace),
            96..=97 => self.edit("komputeroffices", namespace, |random, _| json!({ "maxAgents": 1 + random.below(3) })),
            98 => self.delete("komputeroffices", namespace),
            90..=91 => self.edit("komputeragenttemplates", namespace, Self::edit_template),
            92..=93 => self.delete_secret(namespace),
            94..=95 => self.delete("pods", namespace),
            _ => {}
        }
    }

    fn agent(random: &mut Random) -> Value {
        let after = random.of(&[json!(null), json!("KeepRunning"), json!("Sleep"), json!("Delete")]);
        let idle = random.of(&[json!(null), json!("30s"), json!("10m")]);
        let ttl = random.of(&[json!(null), json!("1m")]).as_str().filter(|_| after == "Delete").map(str::to_owned);
        let mut lifecycle = json!({ "afterTask": after, "idleTimeout": idle, "ttlAfterFinished": ttl });
        lifecycle.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let instructions = if random.happens(400) { json!(format!("do {}", random.below(3))) } else { json!(null) };
        let template = random.of(&TEMPLATES);
        let priority = random.of(&[json!(null), json!(1), json!(2)]);
        let mut spec = json!({
            "instructions": instructions, "lifecycle": lifecycle, "templateRef": { "name": template }, "priority": priority,
            "suspend": random.happens(80), "role": random.of(&[json!(null), json!("Manager")]), "rollout": random.of(&["WhenIdle", "Immediately", "OnDelete"]),
        });
        spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        spec
    }

    fn make_agent(&mut self, namespace: &str) {
        let (name, mut spec) = (self.random.of(&AGENTS), Self::agent(self.random));
        if name == "ada" {
            spec["role"] = "Manager".into();
        }
        self.create("komputeragents", namespace, name, API, "KomputerAgent", spec);
    }

    fn edit_agent(random: &mut Random, _: &Value) -> Value {
        match random.below(4) {
            0 => json!({ "suspend": random.happens(500) }),
            1 => json!({ "model": random.of(&["claude-a", "claude-b"]) }),
            2 => json!({ "instructions": format!("do {}", random.below(3)) }),
            _ => Self::agent(random),
        }
    }

    fn make_task(&mut self, namespace: &str) {
        *self.made += 1;
        let (name, agent) = (format!("t{}", self.made), self.random.of(&AGENTS));
        let mode = self.random.of(&["Queue", "Queue", "Queue", "Replace", "Steer", "Steer"]);
        let ttl = self.random.of(&[json!(null), json!("2m")]);
        let spec =
            json!({ "agentRef": { "name": agent }, "instructions": "do it", "mode": mode, "ttlAfterFinished": ttl });
        self.create("komputertasks", namespace, &name, API, "KomputerTask", spec);
    }

    fn squad(random: &mut Random, _: &Value) -> Value {
        let members = AGENTS.iter().filter(|_| random.happens(500)).collect::<Vec<_>>();
        let mut members: Vec<_> = members.into_iter().map(|name| json!({ "name": name })).collect();
        if random.happens(300) || members.is_empty() {
            members.push(json!({ "name": "made", "template": { "templateRef": { "name": "small" } } }));
        }
        json!({ "members": members, "breakUp": random.happens(100), "orphanTTL": "1m" })
    }

    fn make_squad(&mut self, namespace: &str) {
        let (name, spec) = (self.random.of(&["q0", "q1"]), Self::squad(self.random, &Value::Null));
        self.create("komputersquads", namespace, name, API, "KomputerSquad", spec);
    }

    fn make_schedule(&mut self, namespace: &str) {
        let policy = self.random.of(&["Allow", "Forbid", "Replace"]);
        let mut spec = json!({
            "schedule": self.random.of(&["*/2 * * * *", "* * * * *"]), "task": { "instructions": "do it" },
            "concurrencyPolicy": policy, "successfulTasksHistoryLimit": self.random.below(3),
        });
        if self.random.happens(500) {
            spec["agentRef"] = json!({ "name": self.random.of(&AGENTS) });
        } else {
            spec["agent"] = json!({ "lifecycle": { "afterTask": "Sleep" } });
            spec["agentDeletionPolicy"] = self.random.of(&["Keep", "Delete"]).into();
        }
        self.create("komputerschedules", namespace, "s0", API, "KomputerSchedule", spec);
    }

    fn edit_schedule(random: &mut Random, _: &Value) -> Value {
        json!({ "suspend": random.happens(400) })
    }

    fn trigger(&mut self, namespace: &str) {
        let value = format!("v{}", self.random.below(1_000));
        let place = ("komputerschedules".into(), namespace.into(), "s0".into());
        self.etcd.change(&place, |schedule| {
            schedule["metadata"]["annotations"][crate::schedule::TRIGGER] = value.into();
        });
    }

    /// Somebody has noticed that there is no money left.
    fn raise(&mut self, namespace: &str) {
        let place = ("komputerbudgets".into(), namespace.into(), BUDGET.into());
        let more = 1 + u32::try_from(self.random.below(40)).unwrap();
        self.etcd.change(&place, |budget| {
            let limit: f64 = budget["spec"]["limitUSD"].as_str().unwrap().parse().unwrap();
            let lower = more.is_multiple_of(5);
            let limit = if lower { limit * 0.9 } else { limit + f64::from(more) / 1_000.0 };
            budget["spec"]["limitUSD"] = format!("{limit:.6}").into();
        });
    }

    fn make_budget(&mut self, namespace: &str) {
        let spec = json!({ "limitUSD": "0.05", "period": "Hour", "action": self.random.of(&["Stop", "Warn"]) });
        self.create("komputerbudgets", namespace, "hourly", API, "KomputerBudget", spec);
    }

    fn delete_budget(&mut self, namespace: &str) {
        self.etcd.delete(&("komputerbudgets".into(), namespace.into(), "hourly".into()), None);
    }

    fn make_office(&mut self, namespace: &str) {
        let depth = self.random.of(&[1, 1, 2]);
        let spec = json!({ "managerRef": { "name": "ada" }, "maxAgents": 1 + self.random.below(3), "maxDepth": depth });
        self.create("komputeroffices", namespace, "o0", API, "KomputerOffice", spec);
    }

    fn edit_template(random: &mut Random, _: &Value) -> Value {
        match random.below(3) {
            0 => {
                json!({ "maxConcurrentAgents": 1 + random.below(3), "maxUnavailable": random.of(&[json!(1), json!("50%")]) })
            }
            _ => json!({ "image": random.of(&["agent:1", "agent:2"]) }),
        }
    }

    fn edit(&mut self, plural: &str, namespace: &str, spec: fn(&mut Random, &Value) -> Value) {
        let Some(place) = self.pick(plural, namespace) else { return };
        let spec = spec(self.random, &self.etcd.objects[&place]);
        self.etcd.change(&place, |object| {
            for (key, value) in spec.as_object().unwrap() {
                object["spec"][key] = value.clone();
            }
        });
    }

    fn delete(&mut self, plural: &str, namespace: &str) {
        if let Some(place) = self.pick(plural, namespace) {
            self.etcd.delete(&place, None);
        }
    }

    /// Nobody watches agents' Secrets: it is missed when the next pod is made.
    fn delete_secret(&mut self, namespace: &str) {
        if let Some(place) = self.pick("secrets", namespace)
            && !self
                .etcd
                .all("pods")
                .any(|(pod, found)| pod.1 == place.1 && mounts(found, place.2.trim_start_matches("komputer-agent-")))
        {
            self.etcd.delete(&place, None);
        }
    }

    fn pick(&mut self, plural: &str, namespace: &str) -> Option<(String, String, String)> {
        let found: Vec<_> = self.etcd.all(plural).map(|(place, _)| place.clone()).collect();
        let found: Vec<_> = found.into_iter().filter(|place| place.1 == namespace).collect();
        if found.is_empty() { None } else { Some(self.random.of(&found)) }
    }

    /// All templates change.
    pub(super) fn roll_out(&mut self) {
        let all: Vec<_> = self.etcd.all("komputeragenttemplates").map(|(place, _)| place.clone()).collect();
        for place in all {
            self.etcd.change(&place, |template| template["spec"]["image"] = "agent:3".into());
        }
    }

    /// Nothing is to begin by itself any more.
    pub(super) fn stop_schedules(&mut self) {
        let running = |schedule: &Value| schedule["spec"]["suspend"] != true;
        let all = self.etcd.all("komputerschedules").filter(|(_, schedule)| running(schedule));
        let all: Vec<_> = all.map(|(place, _)| place.clone()).collect();
        for place in all {
            self.etcd.change(&place, |schedule| schedule["spec"]["suspend"] = true.into());
        }
    }

    /// Deletes one more thing of all that people made. Answers whether there was any.
    pub(super) fn delete_something(&mut self) -> bool {
        let is_theirs = |plural: &str| plural.starts_with("komputer") && plural != "komputeragenttemplates";
        let all =
            self.etcd.objects.iter().filter(|((plural, _, _), object)| {
                is_theirs(plural) && object["metadata"]["deletionTimestamp"].is_null()
            });
        let all: Vec<_> = all.map(|(place, _)| place.clone()).collect();
        if all.is_empty() {
            return false;
        }
        let place = self.random.of(&all);
        self.etcd.delete(&place, None);
        true
    }
}
