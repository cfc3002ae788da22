//! Users do whatever they like, pods fail, and operators die or lose their lease, at random from a printed seed: what users
//! asked for comes of it, and nothing else.
//!
//! The real operator, apiserver, garbage collector and Redis; the test plays the kubelet and the agents. `SEED=7
//! ACTIONS=500` does the same actions again; what goes on beside them is as fast as it is, so that not every failure comes
//! again with its seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod action;
mod fortune;
mod leaders;
mod model;
#[path = "../played/mod.rs"]
mod played;
mod record;
#[path = "../running/mod.rs"]
mod running;
mod settled;
mod world;

use komputer_tests::cluster::LightCluster;

use self::{fortune::Fortune, model::Model, running::prepare, world::World};

/// So many actions are taken at once: each after those before it in its namespace, beside those in others.
const BURST: usize = 25;
/// After so many actions the world comes to rest, and is compared with the model.
const ROUND: u64 = 50;
/// In every so many rounds there is something that takes a while to settle: money, and the clock.
const SLOW: u64 = 4;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_what_users_asked_for_comes_of_it_and_nothing_else() {
    let (seed, actions) = (number("SEED", 1), number("ACTIONS", 2_000));
    println!("SEED={seed} ACTIONS={actions} does these actions again:");
    let cluster = LightCluster::start_with_controllers("model").expect("a cluster");
    let redis = prepare(&cluster, &[]);
    redis.ready("komputer-operator").await.unwrap();
    let (mut fortune, mut model) = (Fortune::new(seed), Model::default());
    let world = World::start(&cluster, &redis).await;
    world.begin(&mut model).await;
    for begin in (0..actions).step_by(BURST) {
        let is_slow = (begin / ROUND).is_multiple_of(SLOW);
        let burst = begin..(begin + BURST as u64).min(actions);
        let choose = |index| {
            let action = fortune.next(&model, is_slow);
            println!("{index}: {action:?}");
            model.apply(&action);
            action
        };
        let burst: Vec<_> = burst.map(choose).collect();
        world.perform_all(&burst, &model).await;
        let done = begin + burst.len() as u64;
        if done.is_multiple_of(ROUND) || done == actions {
            world.settle(&mut model).await;
        }
    }
    world.stays_so(&model).await;
    world.has_seen_enough(actions);
}
