//! All controllers in one simulated world, driven at random from a printed seed, with what must never be checked after each
//! step.
//!
//! The operator is the real one from its watches to its requests: caches, indexes, ledger, places, inbox, `observe`,
//! `decide` and `carry_out`, over kube's client. Simulated is what is outside of it: the apiserver behind that client,
//! kubelets, agents, Redis, people and the clock; and kube's applier, whose turn to look at an object is chosen here. A
//! request is answered when the simulation says so, so an operator can end between any two of a plan's.
//!
//! `SEED=7 WORLDS=1 cargo test --lib simulation::` replays one world; `WORLDS` and `STEPS` say how many and how long.
#![allow(clippy::redundant_closure_for_method_calls, reason = "methods of what is borrowed are not general enough")]
mod agents;
mod apiserver;
mod desk;
mod invariants;
mod kubelet;
mod managers;
mod network;
mod operator;
mod random;
mod settling;
mod steps;
mod streams;
mod users;
mod workspace;

use std::{
    num::NonZeroU32,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};

use self::{
    agents::Agents,
    invariants::Seen,
    kubelet::Kubelet,
    network::{Network, Pending, Wanted, execute},
    operator::{Operator, Standby, metrics},
    random::Random,
    streams::Redis,
    users::Users,
};
use crate::{clock, metrics::Metrics};

/// One world.
struct World {
    random: Random,
    now: Timestamp,
    network: Network,
    redis: Redis,
    agents: Agents,
    kubelet: Kubelet,
    operator: Option<Operator>,
    standby: Option<Standby>,
    /// Status writes of leaders that are gone, still on their way.
    late: Vec<Wanted>,
    limit: Option<NonZeroU32>,
    metrics: Metrics,
    made: usize,
    seen: Seen,
    /// The kind whose changes no cache hears of.
    unheard: Option<String>,
    /// Requests that changed something, or were to.
    writes: usize,
}

impl World {
    async fn new(seed: u64, metrics: Metrics) -> Self {
        let mut random = Random::new(seed);
        let limit = random.of(&[None, NonZeroU32::new(1), NonZeroU32::new(2), NonZeroU32::new(4)]);
        let mut world = Self {
            random,
            now: "2026-03-10T12:00:00Z".parse().unwrap(),
            network: Network::new(),
            redis: Redis::default(),
            agents: Agents::default(),
            kubelet: Kubelet::default(),
            operator: None,
            standby: None,
            late: Vec::new(),
            limit,
            metrics,
            made: 0,
            seen: Seen::default(),
            unheard: None,
            writes: 0,
        };
        world.passes(Duration::ZERO).await;
        world.users(|users| users.begin());
        world.take_over().await;
        world
    }

    fn users(&mut self, act: impl FnOnce(&mut Users<'_>)) {
        let mut etcd = self.network.apiserver.lock().unwrap();
        act(&mut Users { etcd: &mut etcd, random: &mut self.random, made: &mut self.made });
    }

    /// Time passes, and everybody does what is to be done by then.
    async fn passes(&mut self, time: Duration) {
        self.now += SignedDuration::try_from(time).unwrap();
        clock::set(self.now);
        self.network.etcd().now = self.now;
        tokio::time::advance(time).await;
        self.quiesce().await;
    }

    /// Whoever can go on without the simulation does.
    async fn quiesce(&mut self) {
        tokio::time::sleep(Duration::from_millis(1)).await; // the clock moves only when nobody has anything to do
        if let Some(operator) = &mut self.operator {
            operator.note(self.now).await;
        }
    }

    /// The leader ends, with some of its requests done and some not, and another leads.
    async fn take_over(&mut self) {
        self.seen.made.clear();
        if let Some(operator) = self.operator.take() {
            for pending in operator.network.hang_up() {
                let Pending::Cluster(wanted, _) = pending else { continue };
                match self.random.below(3) {
                    0 => drop(self.execute(wanted)),
                    1 if wanted.is_of_status() => self.late.push(wanted),
                    _ => {}
                }
            }
        }
        let standby = match self.standby.take() {
            Some(standby) => standby,
            None => Standby::start(self.network.anew(), self.limit).await,
        };
        self.operator = Some(standby.lead(self.redis.clone(), self.metrics.clone()).await);
        self.quiesce().await;
    }

    fn execute(&mut self, wanted: Wanted) -> apiserver::Answer {
        let is_write = wanted.method != http::Method::GET;
        self.writes += usize::from(is_write);
        let what = format!("{} {:?}", wanted.method, wanted.place);
        let answer = execute(&mut self.network.etcd(), wanted);
        if answer.0 == 201 {
            self.seen.made.insert(answer.1["metadata"]["uid"].as_str().unwrap_or_default().to_owned());
        }
        if is_write {
            self.seen.written.push(what);
        }
        self.seen.answer(answer.0);
        answer
    }

    async fn step(&mut self) {
        match self.random.below(1_000) {
            0..=239 => drop(self.answer(false) || self.tell() || self.look()),
            240..=429 => drop(self.tell() || self.look() || self.answer(false)),
            430..=619 => drop(self.look() || self.answer(false) || self.tell()),
            620..=669 => self.hear().await,
            670..=754 => (0..3).for_each(|_| self.work()),
            755..=804 => self.publish(),
            805..=864 => drop(self.care(false)),
            865..=924 => self.users(|users| users.act()),
            925..=954 => drop(self.collect_garbage()),
            955..=964 => self.delay_kind(),
            965..=984 => {
                let seconds = if self.random.happens(20) { 400 } else { 1 + self.random.below(20) as u64 };
                self.passes(Duration::from_secs(seconds)).await;
            }
            985..=987 => self.toggle_redis(),
            988..=989 => self.expire().await,
            990 => self.take_over().await,
            991..=992 => self.stand_by().await,
            993..=994 => self.arrive_late(),
            _ => self.kubelet.find_nodes(),
        }
        let time = Duration::from_millis(1 + self.random.below(30) as u64);
        self.passes(time).await;
        self.check();
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One world from its beginning to its end.
fn run(seed: u64, steps: u64, metrics: &Metrics) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    fastrand::seed(seed); // what waits after errors is random too
    runtime.block_on(async {
        let mut at = 0;
        let story = async {
            let mut world = World::new(seed, metrics.clone()).await;
            for step in 0..steps {
                at = step;
                world.step().await;
            }
            at = steps;
            world.settle().await;
            world.end().await;
            world.seen
        };
        AssertUnwindSafe(story).catch_unwind().await.unwrap_or_else(|panic| {
            println!("SEED={seed} WORLDS=1 STEPS={steps} replays it; it failed at step {at}");
            std::panic::resume_unwind(panic)
        })
    })
}

#[test]
fn whatever_happens_nothing_is_lost_doubled_or_exceeded_and_the_world_settles() {
    let steps = number("STEPS", 2_000);
    let (first, worlds) = (number("SEED", 1), number("WORLDS", 10));
    let seeds = first..first + worlds;
    let (begun, metrics) = (Instant::now(), metrics());
    let mut seen = Seen::default();
    for seed in seeds.clone() {
        seen.add(&run(seed, steps, &metrics));
    }
    println!("worlds {seeds:?} of {steps} steps in {:?}: {seen:?}", begun.elapsed());
    if worlds > 1 {
        seen.is_enough();
    }
}
