//! One replica leads. The lease gates writes; every replica keeps its caches warm.
//!
//! No published crate does this for kube 5. Like client-go, expiry is judged from the moment a change of the record was
//! seen, never from another machine's clock.
use std::time::Duration;

use futures::{StreamExt, stream::BoxStream};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher::watch_object},
};
use tokio::{sync::watch, time::Instant};

use crate::step::Step;

/// A lease and how it is held.
#[derive(Clone, Debug)]
pub struct LeaseConfig {
    /// The Lease object.
    pub name: String,
    /// Who this process is: its pod's name.
    pub identity: String,
    /// How long others wait for a holder that says nothing.
    pub duration: Duration,
    /// How long a holder that cannot renew goes on writing; shorter than `duration`.
    pub renew_deadline: Duration,
    /// Time between two steps.
    pub retry_period: Duration,
}

impl LeaseConfig {
    /// 15 s, 10 s and 2 s, as client-go's defaults are.
    pub fn new(name: &str, identity: &str) -> Self {
        Self {
            name: name.into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// What a lease says to a candidate.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Hold,
    Take { transitions: i32 },
    Yield,
}

fn judge(spec: &LeaseSpec, identity: &str, unchanged_for: Duration) -> Verdict {
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    if holder == identity {
        return Verdict::Hold;
    }
    let life = Duration::from_secs(u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0));
    if holder.is_empty() || unchanged_for >= life {
        Verdict::Take { transitions: spec.lease_transitions.unwrap_or(0).saturating_add(1) }
    } else {
        Verdict::Yield
    }
}

#[derive(Debug, thiserror::Error)]
enum LeaseError {
    #[error("the apiserver refused: {0}")]
    Api(#[source] kube::Error),
    #[error("the apiserver did not answer in time")]
    Timeout,
}

/// Whether this process leads, as everything that writes asks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Instant>>);

impl Leadership {
    /// Leads until the instant that is in the channel, if any.
    pub fn new(until: watch::Receiver<Option<Instant>>) -> Self {
        Self(until)
    }

    /// Whether it leads now. What counts is the time: a process that was stopped for a while, and goes on, has had no
    /// occasion yet to notice that it leads no more.
    pub fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until it leads.
    pub async fn begins(&mut self) {
        self.0.wait_for(Option::is_some).await.ok();
    }

    /// Waits until it leads no more.
    pub async fn ends(&mut self) {
        self.0.wait_for(Option::is_none).await.ok();
    }
}

/// Holds or waits for a lease.
pub struct Elector {
    api: Api<Lease>,
    config: LeaseConfig,
    seen: Option<(String, Instant)>,
    until: watch::Sender<Option<Instant>>,
}

impl Elector {
    /// `client` must not retry by itself: the default policy of kube 5 may sit on one request for longer than a lease.
    pub fn new(client: Client, namespace: &str, config: LeaseConfig) -> (Self, Leadership) {
        let (until, leads) = watch::channel(None);
        (Self { api: Api::namespaced(client, namespace), config, seen: None, until }, Leadership(leads))
    }

    /// Leads whenever it can, until `shutdown`; then lets go, so that another may lead at once. A holder that cannot renew
    /// leads no longer than to its deadline, before the lease lets anybody else in.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut renewed = Instant::now();
        let mut freed = None;
        loop {
            let began = Instant::now();
            // Whoever holds the lease may not wait for an answer beyond its deadline.
            let patience = if self.leads() { self.left(renewed) } else { self.config.renew_deadline };
            let holds = match tokio::time::timeout(patience, self.step()).await.unwrap_or(Err(LeaseError::Timeout)) {
                Ok(holds) => {
                    renewed = if holds { began } else { renewed };
                    holds
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "could not renew the lease");
                    self.leads() && !self.left(renewed).is_zero()
                }
            };
            let until = holds.then(|| renewed + self.config.renew_deadline);
            self.until.send_if_modified(|before| std::mem::replace(before, until).is_some() != holds);
            freed = (!holds).then(|| freed.unwrap_or_else(|| self.freed()));
            tokio::select! {
                () = &mut shutdown => break,
                () = tokio::time::sleep(self.config.retry_period) => {}
                Some(()) = next(&mut freed) => {}
            }
        }
        if self.until.send_replace(None).is_some() {
            self.release().await;
        }
    }

    /// Says when nobody holds the lease: whoever waits for it takes it then, and not at its next look.
    fn freed(&self) -> BoxStream<'static, ()> {
        let lease = watch_object(self.api.clone(), &self.config.name).default_backoff();
        let is_free = |lease: &Lease| lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some("");
        lease.filter_map(move |seen| std::future::ready(seen.ok().flatten().filter(is_free).map(drop))).boxed()
    }

    fn leads(&self) -> bool {
        self.until.borrow().is_some()
    }

    /// How long a holder may go on without an answer.
    fn left(&self, renewed: Instant) -> Duration {
        self.config.renew_deadline.saturating_sub(renewed.elapsed())
    }

    async fn step(&mut self) -> Result<bool, LeaseError> {
        let now = Timestamp::now();
        let Some(lease) = self.call(self.api.get_opt(&self.config.name)).await? else {
            return self.create(now).await;
        };
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let unchanged_for = match &self.seen {
            Some((seen, at)) if *seen == version => at.elapsed(),
            _ => {
                self.seen = Some((version.clone(), Instant::now()));
                Duration::ZERO
            }
        };
        let old = lease.spec.unwrap_or_default();
        let spec = match judge(&old, &self.config.identity, unchanged_for) {
            Verdict::Yield => return Ok(false),
            Verdict::Hold => self.spec(now, old.acquire_time.clone(), old.lease_transitions.unwrap_or(0)),
            Verdict::Take { transitions } => self.spec(now, Some(MicroTime(now)), transitions),
        };
        // The resourceVersion makes this a compare-and-swap: of two candidates one gets a conflict.
        let patch = serde_json::json!({ "metadata": { "resourceVersion": version }, "spec": spec });
        let params = PatchParams::default();
        let patch = Patch::Merge(patch);
        let request = self.api.patch(&self.config.name, &params, &patch);
        match Step::Lease.around(&self.config.identity, self.call(request)).await {
            Ok(_) => Ok(true),
            Err(LeaseError::Api(kube::Error::Api(status))) if status.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, now: Timestamp) -> Result<bool, LeaseError> {
        let lease = Lease {
            metadata: ObjectMeta { name: Some(self.config.name.clone()), ..Default::default() },
            spec: Some(self.spec(now, Some(MicroTime(now)), 0)),
        };
        let params = PostParams::default();
        match Step::Lease.around(&self.config.identity, self.call(self.api.create(&params, &lease))).await {
            Ok(_) => Ok(true),
            Err(LeaseError::Api(kube::Error::Api(status))) if status.is_already_exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn release(&self) {
        let patch = serde_json::json!({ "spec": { "holderIdentity": "", "leaseDurationSeconds": 1 } });
        let params = PatchParams::default();
        let patch = Patch::Merge(patch);
        let request = self.api.patch(&self.config.name, &params, &patch);
        if let Err(error) = Step::Unlease.around(&self.config.identity, self.call(request)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not let go of the lease");
        }
    }

    fn spec(&self, now: Timestamp, acquired: Option<MicroTime>, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.config.identity.clone()),
            lease_duration_seconds: i32::try_from(self.config.duration.as_secs()).ok(),
            acquire_time: acquired,
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    async fn call<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, LeaseError> {
        match tokio::time::timeout(self.config.retry_period * 2, request).await {
            Ok(result) => result.map_err(LeaseError::Api),
            Err(_) => Err(LeaseError::Timeout),
        }
    }
}

async fn next(freed: &mut Option<BoxStream<'static, ()>>) -> Option<()> {
    freed.as_mut()?.next().await
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use http::{Method, Request, Response};
    use kube::client::Body;

    use super::*;

    fn held_by(holder: &str) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.into()),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(4),
            ..Default::default()
        }
    }

    #[test]
    fn a_lease_is_taken_only_when_free_or_silent_for_its_life() {
        let judged = |holder, seconds| judge(&held_by(holder), "me", Duration::from_secs(seconds));
        assert_eq!(judged("me", 60), Verdict::Hold);
        assert_eq!(judged("other", 14), Verdict::Yield);
        assert_eq!(judged("other", 15), Verdict::Take { transitions: 5 });
        assert_eq!(judged("", 0), Verdict::Take { transitions: 5 });
    }

    /// An apiserver that gives the lease to whoever asks, and falls silent when it is told to.
    fn apiserver(silent: Arc<AtomicBool>) -> Client {
        let answer = move |request: Request<Body>| {
            let silent = silent.clone();
            async move {
                if silent.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                let (status, body) = match *request.method() {
                    Method::GET => (404, serde_json::json!({ "kind": "Status", "code": 404, "reason": "NotFound" })),
                    _ => (201, serde_json::json!({ "metadata": { "name": "komputer-operator" } })),
                };
                let response = Response::builder().status(status).body(Body::from(body.to_string().into_bytes()));
                Ok::<_, std::convert::Infallible>(response.unwrap())
            }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_gets_no_answer_stops_writing_before_anybody_else_may_start() {
        for silent_after in [0, 500, 1_000, 1_900] {
            let silent = Arc::new(AtomicBool::new(false));
            let config = LeaseConfig::new("komputer-operator", "me");
            let life = config.duration;
            let (elector, mut leads) = Elector::new(apiserver(silent.clone()), "default", config);
            tokio::spawn(elector.run(std::future::pending()));
            leads.begins().await;
            let renewed = Instant::now();
            tokio::time::sleep(Duration::from_millis(silent_after)).await;
            silent.store(true, Ordering::Relaxed);
            leads.ends().await;
            assert!(renewed.elapsed() < life, "{:?}", renewed.elapsed());
        }
    }

    /// Nothing but the clock moves on, as for a process that was stopped.
    #[tokio::test(start_paused = true)]
    async fn a_holder_that_was_stopped_leads_no_more_though_nobody_has_told_it() {
        let (until, leads) = watch::channel(None);
        let leads = Leadership::new(leads);
        assert!(!leads.holds());
        until.send_replace(Some(Instant::now() + Duration::from_secs(10)));
        assert!(leads.holds());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!leads.holds());
    }
}
