//! Serves a certificate that somebody else keeps, like cert-manager, who also tells the apiserver to trust it. Writes
//! nothing.
use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use komputer_telemetry::Check;
use kube::{Api, Client};
use tokio::time;

use super::{
    IssueError, Target,
    chain::Chain,
    issue::period,
    trust::{Bundles, all_accept},
};
use crate::{metrics::Metrics, tls::HotCertificate, watch::watch_object};

/// Which certificate is served, and to whom.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The namespace of the Secret.
    pub namespace: String,
    /// The Secret's name. It has `tls.crt` and `tls.key`.
    pub secret: String,
    /// The names, and addresses, that the apiserver calls.
    pub names: Vec<String>,
    /// The objects that tell the apiserver whom to trust.
    pub targets: Vec<Target>,
    /// How often the clock is looked at.
    pub tick: Duration,
}

/// Serves what the Secret holds.
pub struct Follower {
    client: Client,
    followed: Followed,
    served: Arc<HotCertificate>,
    ready: Check,
    metrics: Metrics,
    /// What the Secret holds.
    offered: Result<Offer, String>,
    /// What is served.
    serving: Option<Offer>,
    bundles: BTreeMap<Target, Bundles>,
}

/// A certificate, and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Offer {
    chain: Chain,
    until: Timestamp,
}

impl Offer {
    /// What the Secret holds, or why it cannot be served.
    fn of(secret: Option<Secret>) -> Result<Self, String> {
        let data = secret.and_then(|secret| secret.data).unwrap_or_default();
        let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
        let (Some(certificates), Some(key)) = (text("tls.crt"), text("tls.key")) else {
            return Err("it has no tls.crt and tls.key; check that its Certificate is ready".into());
        };
        let read = || Ok::<_, IssueError>((Chain::read(&certificates, &key)?, period(&certificates)?.until));
        read().map(|(chain, until)| Self { chain, until }).map_err(|error| error.to_string())
    }
}

enum Change {
    Offered(Result<Offer, String>),
    Bundles(Target, Bundles),
}

impl Follower {
    /// Serves through `served`, and passes `ready` while the apiserver trusts what is served.
    pub fn new(
        client: Client,
        followed: Followed,
        served: Arc<HotCertificate>,
        ready: Check,
        metrics: Metrics,
    ) -> Self {
        let (offered, serving, bundles) = (Err("nothing is known of it yet".into()), None, BTreeMap::new());
        Self { client, followed, served, ready, metrics, offered, serving, bundles }
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        let mut changes = pin!(self.changes());
        loop {
            tokio::select! {
                Some(change) = changes.next() => self.learn(change),
                () = time::sleep(self.followed.tick) => {}
            }
            self.step(Timestamp::now());
        }
    }

    fn changes(&self) -> impl Stream<Item = Change> + Send + use<> {
        let Followed { namespace, secret, targets, .. } = &self.followed;
        let secrets = watch_object(Api::namespaced(self.client.clone(), namespace), secret);
        let offers = secrets.map(|secret| Change::Offered(Offer::of(secret))).boxed();
        let targets = targets.iter().map(|target| target.watch(&self.client));
        let bundles = targets.map(|stream| stream.map(|(target, bundles)| Change::Bundles(target, bundles)).boxed());
        stream::select_all(std::iter::once(offers).chain(bundles))
    }

    fn learn(&mut self, change: Change) {
        match change {
            Change::Offered(offered) => self.offered = offered,
            Change::Bundles(target, bundles) => {
                self.bundles.insert(target, bundles);
            }
        }
    }

    /// Serves the new certificate, unless the apiserver still trusts the old one alone, and says whether it is trusted.
    fn step(&mut self, now: Timestamp) {
        let keeps_the_old = match (&self.serving, &self.offered) {
            (Some(old), Ok(new)) => self.is_trusted(old, now) && !self.is_trusted(new, now),
            _ => false,
        };
        if !keeps_the_old
            && let Ok(new) = &self.offered
            && self.serving.as_ref() != Some(new)
        {
            match new.chain.certified() {
                Ok(certified) => {
                    self.served.set(certified);
                    self.metrics.certificate_expires(new.until);
                    tracing::info!(until = %new.until, "serving a certificate");
                    self.serving = Some(new.clone());
                }
                Err(error) => self.offered = Err(error.to_string()),
            }
        }
        match self.why_not_ready(now) {
            None => self.ready.pass(),
            Some(reason) => self.ready.fail(reason),
        }
    }

    fn is_trusted(&self, offer: &Offer, now: Timestamp) -> bool {
        let accepts = |bundle: &str| offer.chain.is_accepted_by(bundle, &self.followed.names, now);
        self.bundles.values().all(|bundles| all_accept(bundles, accepts))
    }

    fn why_not_ready(&self, now: Timestamp) -> Option<String> {
        let Followed { namespace, secret, names, targets, .. } = &self.followed;
        let Some(serving) = &self.serving else {
            let reason = self.offered.as_ref().err().map_or("", String::as_str);
            return Some(format!("Secret {namespace}/{secret}: {reason}"));
        };
        let accepts = |bundle: &str| serving.chain.is_accepted_by(bundle, names, now);
        let distrusts =
            |target: &&Target| self.bundles.get(*target).is_none_or(|bundles| !all_accept(bundles, accepts));
        let target = targets.iter().find(distrusts)?;
        Some(format!(
            "{target} has no caBundle that accepts the certificate of Secret {namespace}/{secret} for {}; check that \
             cert-manager's cainjector runs, and the Certificate's dnsNames",
            names.join(", "),
        ))
    }
}
