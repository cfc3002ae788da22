//! What must never be, checked after each step, and what was seen at all.
use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use komputer_events::Money;
use serde_json::Value;

use super::{
    World,
    agents::CALL,
    apiserver::Apiserver,
    kubelet::{inhabitants, pod_of},
    users::BUDGET,
};

/// Names that agents have in a namespace: each may pass a budget by its last call.
const AGENTS: u64 = 6;
/// How long the operator remembers what it has made.
const UNSEEN: SignedDuration = SignedDuration::from_secs(30);

/// What was seen, and what is remembered from step to step.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pods: BTreeSet<String>,
    pod_count: usize,
    most_awake: usize,
    /// Most agents in one pod.
    shared_pods: usize,
    ends: usize,
    run_count: usize,
    answers: BTreeMap<u16, usize>,
    reasons: BTreeMap<String, usize>,
    /// How tasks have ended, by their uids.
    ended: BTreeMap<String, String>,
    /// Most of each limit, by namespace and template.
    limits: BTreeMap<(String, String), Option<u64>>,
    budgets: BTreeMap<String, Money>,
    /// Agents of the team that a budget may be for, by their uids.
    team: BTreeSet<String>,
    pub(super) written: Vec<String>,
    /// Most of what each office may have, by its uid.
    offices: BTreeMap<String, u64>,
    /// The tasks that schedules have made, by the schedule's uid and the name, which says the time.
    runs: BTreeMap<(String, String), String>,
    /// Those that a schedule's status told of.
    told: BTreeSet<(String, String)>,
    pub(super) letters_read: usize,
    /// What the operator that leads has made, by uid.
    pub(super) made: BTreeSet<String>,
    /// Answers to managers, by tool and how they were.
    pub(super) answered: BTreeMap<String, usize>,
}

impl Seen {
    pub(super) fn answer(&mut self, code: u16) {
        *self.answers.entry(code).or_default() += 1;
    }

    pub(super) fn reason(&mut self, reason: String) -> &mut usize {
        self.reasons.entry(reason).or_default()
    }

    /// Sums up with what another world has seen.
    pub(super) fn add(&mut self, other: &Self) {
        self.pod_count += other.pods.len();
        self.most_awake = self.most_awake.max(other.most_awake);
        self.shared_pods = self.shared_pods.max(other.shared_pods);
        self.ends += other.ended.len();
        self.run_count += other.runs.len();
        self.letters_read += other.letters_read;
        other.answered.iter().for_each(|(answer, count)| *self.answered.entry(answer.clone()).or_default() += count);
        other.answers.iter().for_each(|(code, count)| *self.answers.entry(*code).or_default() += count);
        other.reasons.iter().for_each(|(reason, count)| *self.reasons.entry(reason.clone()).or_default() += count);
    }

    /// A world in which nothing happens proves nothing.
    pub(super) fn is_enough(&self) {
        assert!(self.pod_count > 50 && self.ends > 50 && self.shared_pods > 1 && self.run_count > 5, "{self:?}");
        let did = |what: &str| self.answered.contains_key(what);
        assert!(self.letters_read > 5 && did("create_agent done") && did("ask_agent done"), "{self:?}");
    }
}

/// The pods and who is in them.
fn pods(etcd: &Apiserver) -> Vec<String> {
    etcd.all("pods")
        .map(|(place, pod)| format!("{place:?} {:?} {}", inhabitants(place, pod), pod["metadata"]))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl World {
    /// What must never be is not.
    pub(super) fn check(&mut self) {
        self.check_pods();
        self.check_tasks();
        self.check_money();
        self.check_runs();
        self.check_offices();
        self.check_deleted();
        self.check_forgotten();
    }

    /// Each time of a schedule has one task, which is made once, unless somebody deletes it before the schedule's status
    /// tells of it.
    fn check_runs(&mut self) {
        let etcd = self.network.apiserver.lock().unwrap();
        for (_, schedule) in etcd.all("komputerschedules") {
            let uid = text(&schedule["metadata"]["uid"]);
            let runs = schedule["status"]["runs"].as_array().into_iter().flatten();
            self.seen.told.extend(runs.map(|run| (uid.clone(), text(&run["name"]))));
        }
        for (place, task) in etcd.all("komputertasks") {
            let owner = &task["metadata"]["ownerReferences"][0];
            if owner["kind"] == "KomputerSchedule" {
                let uid = text(&task["metadata"]["uid"]);
                let run = (text(&owner["uid"]), place.2.clone());
                let is_told = self.seen.told.contains(&run);
                let first = self.seen.runs.entry(run).or_insert_with(|| uid.clone());
                assert!(*first == uid || !is_told, "{place:?} is made again");
                *first = uid;
            }
        }
    }

    /// Managers make no more agents than their offices let them.
    fn check_offices(&mut self) {
        let etcd = self.network.apiserver.lock().unwrap();
        for (place, office) in etcd.all("komputeroffices") {
            let uid = text(&office["metadata"]["uid"]);
            let limit = office["spec"]["maxAgents"].as_u64().unwrap_or(20);
            let most = self.seen.offices.entry(uid.clone()).or_insert(limit);
            *most = limit.max(*most);
            let most = usize::try_from(*most).unwrap();
            let made = |agent: &Value| agent["metadata"]["ownerReferences"][0]["uid"] == uid;
            let made: Vec<_> = etcd.all("komputeragents").filter(|(_, agent)| made(agent)).collect();
            assert!(made.len() <= most, "{place:?} has {} agents of {most}", made.len());
        }
    }

    /// Nothing is left of an agent only once it is in no pod, where it may spend still, and is gone.
    fn check_forgotten(&mut self) {
        let forgotten = std::mem::take(&mut self.redis.0.lock().unwrap().forgotten);
        let etcd = self.network.apiserver.lock().unwrap();
        for (agent, uid) in forgotten {
            let found = pod_of(&etcd, &uid);
            assert!(found.is_none() && !etcd.has_uid(&uid), "{agent} is forgotten and in {found:?}");
        }
    }

    /// What a manager is told is deleted is, also where its maker's caches do not show yet that it was ever made.
    fn check_deleted(&mut self) {
        let etcd = self.network.apiserver.lock().unwrap();
        for place in std::mem::take(&mut self.agents.deleted) {
            let Some(metadata) = etcd.objects.get(&place).map(|found| &found["metadata"]) else { continue };
            let since = text(&metadata["creationTimestamp"]).parse().unwrap_or(self.now);
            let is_known = self.seen.made.contains(&text(&metadata["uid"])) && self.now.duration_since(since) < UNSEEN;
            assert!(!is_known || !metadata["deletionTimestamp"].is_null(), "{place:?} is said to be deleted");
        }
    }

    /// Nobody is in two pods, and no more are awake than may be.
    fn check_pods(&mut self) {
        let etcd = self.network.apiserver.lock().unwrap();
        for (place, template) in etcd.all("komputeragenttemplates") {
            let limit = template["spec"]["maxConcurrentAgents"].as_u64();
            let most = self.seen.limits.entry((place.1.clone(), place.2.clone())).or_insert(limit);
            *most = most.zip(limit).map(|(most, limit)| most.max(limit));
        }
        let mut awake = BTreeSet::new();
        let mut started = BTreeMap::new();
        let mut by_template: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut company = 0;
        for (place, pod) in etcd.all("pods") {
            self.seen.pods.insert(text(&pod["metadata"]["uid"]));
            let inhabitants = inhabitants(place, pod);
            company += inhabitants.len() - 1;
            self.seen.shared_pods = self.seen.shared_pods.max(inhabitants.len());
            let is_started = !pod["status"]["podIP"].is_null();
            for (name, seat) in inhabitants {
                let agent = (place.1.clone(), name.clone());
                let before = if is_started { started.insert(agent.clone(), place.2.clone()) } else { None };
                assert_eq!(before, None, "{}/{name} is in pod {} too", place.1, place.2);
                if awake.insert(agent) {
                    *by_template.entry((place.1.clone(), seat.template)).or_default() += 1;
                }
            }
        }
        self.seen.most_awake = self.seen.most_awake.max(awake.len());
        if let Some(limit) = self.limit {
            let most = limit.get() as usize + company;
            assert!(awake.len() <= most, "{awake:?} are awake, and {most} may be: {:?}", pods(&etcd));
        }
        for (group, count) in by_template {
            let Some(Some(limit)) = self.seen.limits.get(&group) else { continue };
            let most = limit + company as u64;
            assert!(count <= most, "{count} of {group:?} are awake, and {most} may be: {:?}", pods(&etcd));
        }
    }

    /// How a task has ended is said once, and truly; a run is made once.
    fn check_tasks(&mut self) {
        let etcd = self.network.apiserver.lock().unwrap();
        for (place, task) in etcd.all("komputertasks") {
            let (uid, phase) = (text(&task["metadata"]["uid"]), text(&task["status"]["phase"]));
            let truth = self.agents.runs.get(&uid);
            if ["Succeeded", "Failed"].contains(&phase.as_str()) {
                let is_true = truth.is_some_and(|run| run.ends.contains(&phase.as_str()));
                assert!(is_true, "task {place:?} is {phase}, and in truth {truth:?}");
            }
            if ["Succeeded", "Failed", "Cancelled"].contains(&phase.as_str()) {
                let before = self.seen.ended.insert(uid.clone(), phase.clone());
                assert!(
                    before.as_ref().is_none_or(|before| *before == phase),
                    "task {place:?} was {before:?} and is {phase}: {}",
                    task["status"]
                );
            }
        }
        for (uid, run) in &self.agents.runs {
            assert!(
                run.ends.len() <= 1 || self.agents.unheard.contains(uid) || !run.is_counted(&self.agents.counted),
                "task {uid} has ended {:?}",
                run.ends
            );
        }
        for (_, object) in etcd.all("komputeragents") {
            let status = &object["status"];
            let Some(cost) = status["totalCostUSD"].as_str() else { continue };
            let billed = self.agents.billed.get(&text(&object["metadata"]["uid"])).copied().unwrap_or_default();
            assert!(cost.parse::<Money>().unwrap() <= billed, "{cost} of {billed} is too much");
        }
    }

    /// No more is spent than may be, but for the last call of each agent.
    fn check_money(&mut self) {
        let etcd = self.network.apiserver.lock().unwrap();
        self.agents.counted.extend(self.redis.0.lock().unwrap().statements.keys().cloned());
        let red = etcd.all("komputeragents").filter(|(_, agent)| agent["metadata"]["labels"]["team"] == "red");
        self.seen.team.extend(red.map(|(_, agent)| text(&agent["metadata"]["uid"])));
        for (place, budget) in etcd.all("komputerbudgets").filter(|(place, _)| place.2 == BUDGET) {
            let limit: Money = text(&budget["spec"]["limitUSD"]).parse().unwrap();
            let most = self.seen.budgets.entry(place.1.clone()).or_insert(limit);
            *most = limit.max(*most);
            let most = *most;
            let is_for_all = budget["spec"]["selector"]["matchLabels"].is_null();
            let spent = self.spent(&place.1, is_for_all);
            let allowed = most + Money::from_nano(CALL * AGENTS);
            assert!(spent <= allowed, "{spent} is spent in {} of {most}", place.1);
        }
    }

    /// What agents of a namespace have cost whom its budget counts.
    pub(super) fn spent(&self, namespace: &str, is_for_all: bool) -> Money {
        let of = self.agents.spenders.iter().filter(|(_, agent)| agent.namespace() == namespace);
        let counted = of.filter(|(uid, _)| is_for_all || self.seen.team.contains(*uid));
        counted.filter_map(|(uid, _)| self.agents.billed.get(uid)).copied().sum()
    }

    /// What of that nobody has heard of.
    pub(super) fn unsaid(&self, namespace: &str, is_for_all: bool) -> Money {
        let of = self.agents.spenders.iter().filter(|(_, agent)| agent.namespace() == namespace);
        let counted = of.filter(|(uid, _)| is_for_all || self.seen.team.contains(*uid));
        counted.map(|(uid, _)| self.agents.unsaid(uid)).sum()
    }
}
