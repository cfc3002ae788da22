//! Operators that die where they have not died before.
use std::{collections::BTreeSet, path::Path, time::Duration};

use komputer_operator::step::Step;
use komputer_tests::{cluster::LightCluster, node::eventually, redis::Redis};

use super::running::Operator;

/// Every failpoint there is.
fn failpoints() -> impl Iterator<Item = String> {
    Step::ALL.iter().flat_map(|step| ["before", "after"].map(|moment| format!("{moment}-{}", step.name())))
}

/// Operators that die at failpoints, once for each of its places; where they have, a directory remembers.
pub struct Mortals<'a> {
    cluster: &'a LightCluster,
    redis: &'a Redis,
    graves: &'a Path,
    armed: Vec<String>,
}

impl<'a> Mortals<'a> {
    /// That die wherever none has died yet.
    pub fn new(cluster: &'a LightCluster, redis: &'a Redis, graves: &'a Path) -> Self {
        let mut mortals = Self { cluster, redis, graves, armed: Vec::new() };
        mortals.armed = mortals.missed();
        mortals
    }

    fn start(&self) -> Operator {
        let directory = self.graves.display();
        let failpoints: Vec<_> = self.armed.iter().map(|name| format!("{name}=return({directory})")).collect();
        Operator::start_failing(self.cluster, self.redis, &[], &failpoints.join(";"))
    }

    /// Keeps one running, until what is waited for has come.
    pub async fn until<T>(&self, awaited: impl Future<Output = T>) -> T {
        let mut awaited = std::pin::pin!(awaited);
        let mut operator = self.start();
        loop {
            tokio::select! {
                come = &mut awaited => return come,
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
            if operator.has_ended() {
                operator = self.start();
            }
        }
    }

    /// Has one begin, and end as it should, again and again, until some have died around `step`.
    pub async fn provoke(&self, step: Step, prepare: impl Fn()) {
        while self.missed().iter().any(|point| point.split_once('-').is_some_and(|(_, of)| of == step.name())) {
            prepare();
            let mut operator = self.start();
            while !operator.has_ended() && !operator.leads().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            if !operator.has_ended() {
                operator.signal("TERM");
            }
            let ended = || std::future::ready(Ok(operator.has_ended().then_some(())));
            eventually("it to end", ended).await.unwrap();
        }
    }

    /// Where they have died, as `POINT.PLACE`.
    pub fn deaths(&self) -> BTreeSet<String> {
        let files = std::fs::read_dir(self.graves).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Where none has died.
    pub fn missed(&self) -> Vec<String> {
        let deaths = self.deaths();
        failpoints().filter(|point| !deaths.iter().any(|death| death.starts_with(&format!("{point}.")))).collect()
    }
}
