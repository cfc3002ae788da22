//! Who leads, on a real apiserver: at most one at any time, and a successor at once where the leader says goodbye.
#![allow(clippy::unwrap_used)]
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use komputer_operator::lease::{Elector, Leadership, LeaseConfig};
use komputer_tests::cluster::LightCluster;
use kube::{Api, Client};
use tokio::{sync::oneshot, task::JoinHandle};

const NAMESPACE: &str = "default";

struct Candidate {
    leads: Leadership,
    stop: oneshot::Sender<()>,
    run: JoinHandle<()>,
}

impl Candidate {
    fn start(client: &Client, lease: &str, identity: &str, duration: Duration) -> Self {
        Self::looking_each(Duration::from_millis(300), client, lease, identity, duration)
    }

    fn looking_each(retry_period: Duration, client: &Client, lease: &str, identity: &str, duration: Duration) -> Self {
        let renew_deadline = duration * 3 / 4;
        let config = LeaseConfig { duration, renew_deadline, retry_period, ..LeaseConfig::new(lease, identity) };
        let (stop, stopped) = oneshot::channel::<()>();
        let (elector, leads) = Elector::new(client.clone(), NAMESPACE, config);
        let run = tokio::spawn(elector.run(async move { drop(stopped.await) }));
        Self { leads, stop, run }
    }

    async fn until_it_leads(&mut self) {
        self.leads.begins().await;
    }

    fn leads(&self) -> bool {
        self.leads.holds()
    }
}

async fn record(client: &Client, lease: &str) -> LeaseSpec {
    Api::<Lease>::namespaced(client.clone(), NAMESPACE).get(lease).await.unwrap().spec.unwrap()
}

#[tokio::test]
async fn one_leads_and_another_takes_over_where_it_ends_or_dies() {
    let cluster = LightCluster::start("lease").unwrap();
    let client = cluster.client().await.unwrap();
    a_leader_that_ends_lets_the_next_one_in(&client).await;
    a_leader_that_dies_is_waited_for(&client).await;
}

/// The lease outlives the test by far: without letting go of it, nobody else would lead. Those that wait look at it by
/// themselves once an hour: without being told, they would not know.
async fn a_leader_that_ends_lets_the_next_one_in(client: &Client) {
    let life = Duration::from_hours(1);
    let mut first = Candidate::start(client, "ends", "first", life);
    first.until_it_leads().await;
    let waits = |identity| Candidate::looking_each(life, client, "ends", identity, life);
    let mut others = ["second", "third"].map(waits);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(first.leads() && !others[0].leads() && !others[1].leads());
    }
    first.stop.send(()).unwrap();
    first.run.await.unwrap();
    let [second, third] = &mut others;
    tokio::select! {
        () = second.until_it_leads() => {}
        () = third.until_it_leads() => {}
    }
    assert!(second.leads() != third.leads());
}

async fn a_leader_that_dies_is_waited_for(client: &Client) {
    let life = Duration::from_secs(3);
    let mut first = Candidate::start(client, "dies", "first", life);
    first.until_it_leads().await;
    let mut second = Candidate::start(client, "dies", "second", life);
    tokio::time::sleep(life * 2).await;
    assert!(!second.leads(), "the first renews it");
    first.run.abort(); // says nothing any more, as a process that was killed
    let last_words: Timestamp = record(client, "dies").await.renew_time.unwrap().0;
    second.until_it_leads().await;
    let taken = record(client, "dies").await;
    assert_eq!(taken.holder_identity.as_deref(), Some("second"));
    let waited = taken.acquire_time.unwrap().0.duration_since(last_words).unsigned_abs();
    assert!(waited >= life, "it took the lease of one that might live, after {waited:?}");
}
