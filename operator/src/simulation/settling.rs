//! The end of a world: nothing goes wrong any more, and everything comes to rest; then all is deleted, and nothing is left.
use std::{fmt::Write as _, time::Duration};

use komputer_events::Money;
use serde_json::Value;

use super::{
    World,
    apiserver::{Apiserver, Place},
};
use crate::agent::REPLACEMENT;

/// More rounds than any world needs to come to rest.
const ROUNDS: usize = 20_000;
/// How far the clock goes on with nothing written: idle times, waits and lives of what has ended are shorter.
const PATIENCE: Duration = Duration::from_mins(30);

impl World {
    /// Disturbances end, the world settles, and says what is true.
    pub(super) async fn settle(&mut self) {
        self.redis.0.lock().unwrap().is_away = false;
        self.unheard = None;
        self.kubelet.find_nodes();
        self.arrive_at_last();
        self.come_to_rest().await;
        self.users(|users| users.roll_out());
        while self.bit_by_bit().await && !(self.replaces_some() && self.random.happens(200)) {}
        self.take_over().await; // in the middle of a wave, where there is one
        self.arrive_at_last();
        self.come_to_rest().await;
        self.check_waves();
        self.rest().await;
        self.check_statuses();
        let before = self.writes;
        self.operator.as_mut().unwrap().look_at_all();
        self.come_to_rest().await;
        assert_eq!(self.writes, before, "a settled world is written to: {:?}", &self.seen.written[before..]);
    }

    /// Whether some agent has a pod in the place of another, and is not ready.
    fn replaces_some(&self) -> bool {
        let etcd = self.network.etcd();
        etcd.all("pods").any(|(_, pod)| {
            pod["metadata"]["annotations"][REPLACEMENT] == "true" && pod["status"]["conditions"][0]["status"] != "True"
        })
    }

    /// Whatever is on its way arrives.
    fn arrive_at_last(&mut self) {
        self.late.drain(..).collect::<Vec<_>>().into_iter().for_each(|wanted| drop(self.execute(wanted)));
    }

    /// All is deleted in some order, and nothing is left.
    pub(super) async fn end(&mut self) {
        while {
            let mut more = false;
            self.users(|users| more = users.delete_something());
            more
        } {
            for _ in 0..self.random.below(20) {
                self.bit_by_bit().await;
            }
        }
        self.rest().await;
        let etcd = self.network.etcd();
        let shared = ["namespaces", "komputeragenttemplates", "serviceaccounts", "networkpolicies"];
        let left: Vec<_> = etcd.objects.keys().filter(|(plural, _, _)| !shared.contains(&plural.as_str())).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        drop(etcd);
        self.seen.letters_read = self.agents.letters_read;
        self.seen.answered.clone_from(&self.agents.answered);
    }

    /// The clock goes on until nothing has come of it for long: who waits for a place may wait for one idle agent after
    /// the other.
    async fn rest(&mut self) {
        self.users(|users| users.stop_schedules());
        self.come_to_rest().await;
        let mut calm = (self.writes, self.now);
        loop {
            let until = calm.1 + jiff::SignedDuration::try_from(PATIENCE).unwrap();
            if self.now >= until {
                return;
            }
            let next = self.operator.as_ref().unwrap().next().filter(|next| *next < until);
            let time = next.map_or(until, |next| next).duration_since(self.now).unsigned_abs();
            self.passes(time.max(Duration::from_secs(1))).await;
            self.come_to_rest().await;
            self.users(|users| users.stop_schedules()); // managers make some still
            if self.writes != calm.0 {
                calm = (self.writes, self.now);
            }
        }
    }

    /// Everybody does what there is to do now.
    async fn come_to_rest(&mut self) {
        for _ in 0..ROUNDS {
            if !self.bit_by_bit().await {
                return;
            }
        }
        let last = self.seen.written.len().saturating_sub(20);
        let has_gone = self.operator.as_ref().unwrap().has_gone();
        panic!(
            "the world does not come to rest ({has_gone}: agents are gone), and wrote last {:?}",
            &self.seen.written[last..]
        );
    }

    /// The next thing happens, where there is any.
    async fn bit_by_bit(&mut self) -> bool {
        let operator = self.operator.as_ref().unwrap();
        let behind = self.network.etcd().behind();
        let did = if !operator.network.lines().pending.is_empty() {
            self.answer(true)
        } else if !behind.is_empty() {
            let (id, _) = self.random.of(&behind);
            self.tell_watch(id);
            true
        } else if !operator.ready().is_empty() {
            self.look()
        } else if !operator.rings.is_empty() {
            self.hear().await;
            true
        } else {
            self.collect_garbage() || self.care(true) || self.agents_go_on() || operator_is_busy(self)
        };
        self.passes(Duration::from_millis(1)).await;
        self.check();
        did
    }

    /// Agents work, and say it.
    fn agents_go_on(&mut self) -> bool {
        let processes = self.kubelet.processes(&self.network.etcd());
        let mut did = false;
        for process in processes {
            did |= self.agents.work(&process.volume, self.now, &mut self.random);
            did |= self.publish_of(&process);
        }
        did
    }

    /// Who waits to be replaced does so for one that is being replaced.
    fn check_waves(&mut self) {
        let etcd = self.network.apiserver.lock().unwrap();
        for (place, agent) in etcd.all("komputeragents").filter(|(_, agent)| waits_for_others(agent)) {
            *self.seen.reason("agent WaitsForOthers".into()) += 1;
            let template = &agent["spec"]["templateRef"];
            let mut others = etcd.all("komputeragents").filter(|(other, _)| other.1 == place.1 && *other != place);
            let comes = others.any(|(other, agent)| {
                let pod = etcd.get("pods", &other.1, &other.2);
                let is_replacement = |pod: &Value| pod["metadata"]["annotations"][REPLACEMENT] == "true";
                let is_idle = ["Idle", "Working"].contains(&ready(agent).as_str());
                agent["spec"]["templateRef"] == *template && !is_idle && pod.is_none_or(is_replacement)
            });
            assert!(comes, "{place:?} waits for nobody to be replaced: {}", related(&etcd, place));
        }
    }

    /// Statuses are what the world knows to be true.
    fn check_statuses(&mut self) {
        let etcd = self.network.apiserver.lock().unwrap();
        for (place, agent) in etcd.all("komputeragents") {
            let uid = agent["metadata"]["uid"].as_str().unwrap();
            let reason = ready(agent);
            *self.seen.reason(format!("agent {reason}")) += 1;
            assert!(!waits_for_others(agent), "{place:?} is not replaced: {}", related(&etcd, place));
            let cost = money(&agent["status"]["totalCostUSD"]);
            let lost = self.agents.unsaid(uid);
            let billed = self.agents.billed.get(uid).copied().unwrap_or_default();
            assert_eq!(cost + lost, billed, "what {place:?} has cost");
        }
        for (place, task) in etcd.all("komputertasks") {
            let phase = task["status"]["phase"].as_str().unwrap_or("None");
            let uid = task["metadata"]["uid"].as_str().unwrap();
            let agent = task["spec"]["agentRef"]["name"].as_str().unwrap();
            let agent = etcd.get("komputeragents", &place.1, agent);
            let reason = agent.map_or("Missing".into(), ready);
            *self.seen.reason(format!("task {phase}")) += 1;
            let truth = self.agents.runs.get(uid).and_then(|run| run.ends.last());
            let is_open = ["Pending", "Running", "None"].contains(&phase);
            let excused = ["Missing", "Suspended", "Queued", "WaitsForBudget"];
            assert!(
                !is_open || excused.contains(&reason.as_str()),
                "task {place:?} is {phase}, and its agent {reason}: {}",
                related(&etcd, place)
            );
            // What is cancelled before its beginning is heard of counts as never begun, and the agent is told to stop.
            let is_unheard = phase == "Cancelled" && task["status"]["startTime"].is_null();
            if let Some(truth) = truth.filter(|_| !is_open && !is_unheard) {
                assert_eq!(phase, *truth, "task {place:?}");
            }
        }
        for (place, budget) in etcd.all("komputerbudgets").filter(|(place, _)| place.2 == super::users::BUDGET) {
            let is_for_all = budget["spec"]["selector"]["matchLabels"].is_null();
            let billed = self.spent(&place.1, is_for_all);
            let lost = self.unsaid(&place.1, is_for_all);
            assert_eq!(money(&budget["status"]["spentUSD"]) + lost, billed, "what {place:?} counts");
        }
        for (place, office) in etcd.all("komputeroffices") {
            let manager = &office["spec"]["managerRef"]["name"];
            let of = etcd.all("komputeragents").filter(|(of, agent)| {
                of.1 == place.1 && (of.2 == *manager || agent["spec"]["managerRef"]["name"] == *manager)
            });
            let cost: Money = of.map(|(_, agent)| money(&agent["status"]["totalCostUSD"])).sum();
            assert_eq!(money(&office["status"]["totalCostUSD"]), cost, "what {place:?} adds up");
        }
    }
}

fn waits_for_others(agent: &Value) -> bool {
    let conditions = agent["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["reason"] == "WaitsForOthers")
}

/// What there is to see where a task does not go on.
fn related(etcd: &Apiserver, place: &Place) -> String {
    let related = etcd.objects.iter().filter(|(of, _)| of.1 == place.1 && of.0 != "komputertasks" || *of == place);
    let mut text = String::new();
    for (place, object) in related {
        let _ = write!(text, "\n{place:?}: {} {}", object["metadata"], object["status"]);
    }
    text
}

fn operator_is_busy(world: &World) -> bool {
    world.operator.as_ref().unwrap().is_busy()
}

fn money(value: &Value) -> Money {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The reason of the condition Ready.
fn ready(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready");
    ready.and_then(|ready| ready["reason"].as_str()).unwrap_or("None").to_owned()
}
