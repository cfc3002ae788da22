//! Who leads: operators that die, end, and lose their lease.
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use komputer_tests::{
    cluster::LightCluster,
    node::{PATIENCE, eventually},
    redis::Redis,
};
use kube::{Api, Client, api::DeleteParams};

use super::{
    action::Change,
    model::MANY,
    running::{Operator, SYSTEM},
};

/// How long after its last renewal a leader may write, and a little more.
const LEASE: Duration = Duration::from_millis(10_500);

/// The operators.
pub struct Leaders<'a> {
    cluster: &'a LightCluster,
    redis: &'a Redis,
    client: Client,
    leads: Option<Operator>,
    /// Replicas there have been, by which each has a name of its own.
    replicas: usize,
    /// One that stands still, and since when.
    held: Option<(Operator, Instant)>,
    /// Those that are to end by themselves: they were told to, or have lost their lease.
    ending: Vec<Operator>,
}

impl<'a> Leaders<'a> {
    pub fn start(cluster: &'a LightCluster, redis: &'a Redis, client: Client) -> Self {
        let mut leaders = Self { cluster, redis, client, leads: None, replicas: 0, held: None, ending: Vec::new() };
        leaders.leads = Some(leaders.replica());
        leaders
    }

    fn replica(&self) -> Operator {
        let (identity, most) = (format!("replica-{}", self.replicas), MANY.to_string());
        Operator::start(self.cluster, self.redis, &["--identity", &identity, "--max-awake-agents", &most])
    }

    fn next_replica(&mut self) -> Operator {
        self.replicas += 1;
        self.replica()
    }

    /// Has something become of who leads.
    pub async fn change(&mut self, change: Change) {
        match change {
            Change::Dies => {
                drop(self.leads.take());
                self.leads = Some(self.replica());
            }
            Change::EndsWell => {
                self.until_it_leads().await;
                let next = self.next_replica();
                let last = self.leads.replace(next).unwrap();
                last.signal("TERM");
                self.ending.push(last);
            }
            Change::LosesTheLease if self.held.is_none() => {
                self.until_it_leads().await;
                let next = self.next_replica();
                let last = self.leads.replace(next).unwrap();
                last.signal("STOP");
                self.held = Some((last, Instant::now()));
                // Nobody waits for a lease that is not there.
                let leases = Api::<Lease>::namespaced(self.client.clone(), SYSTEM);
                let _ = leases.delete("komputer-operator", &DeleteParams::default()).await;
            }
            Change::LosesTheLease => {}
        }
    }

    /// Only who leads has a lease to lose.
    async fn until_it_leads(&self) {
        let leads = self.leads.as_ref().unwrap();
        let begun = Instant::now();
        while !leads.leads().await {
            assert!(begun.elapsed() < PATIENCE, "nobody leads");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Who has stood still for longer than a lease goes on.
    pub fn go_on(&mut self) {
        if self.held.as_ref().is_some_and(|(_, since)| since.elapsed() > LEASE) {
            let (held, _) = self.held.take().unwrap();
            held.signal("CONT");
            self.ending.push(held);
        }
        self.ending.retain_mut(|ending| !ending.has_ended());
    }

    /// Waits until all have ended that are to.
    pub async fn settle(&mut self) {
        eventually("operators to end", || {
            self.go_on();
            std::future::ready(Ok(self.ending.is_empty().then_some(())))
        })
        .await
        .unwrap();
    }
}
