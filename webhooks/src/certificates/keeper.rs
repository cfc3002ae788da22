//! The one task that reads and writes certificates: it looks at the whole state whenever something changes, and at times.
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use komputer_telemetry::Check;
use kube::{Api, Client, api::PostParams};
use tokio::time;

use super::{
    Certificates, IssueError, Lifetimes, Step, Target, next,
    trust::{Bundles, all_are},
};
use crate::{metrics::Metrics, tls::HotCertificate, watch::watch_object};

/// The Secret's name.
const SECRET: &str = "komputer-webhooks-certificates";
/// What is tried again after an error, and how soon a `caBundle` is applied again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the apiserver may take for all that there is to do.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the certificates are for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of the Secret.
    pub namespace: String,
    /// The names, and addresses, that the apiserver calls.
    pub names: Vec<String>,
    /// The objects that tell the apiserver whom to trust.
    pub targets: Vec<Target>,
    /// How long everything lives.
    pub lifetimes: Lifetimes,
    /// How often the clock is looked at.
    pub tick: Duration,
}

/// Why the certificates are not as they should be. It is tried again.
#[derive(thiserror::Error, Debug)]
pub enum KeeperError {
    /// They cannot be made or read.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The apiserver refused, or did not answer.
    #[error("{0}; check the ClusterRole and Role komputer-webhooks")]
    Api(#[from] kube::Error),
    /// The apiserver took too long.
    #[error("the apiserver has not answered in {PATIENCE:?}; check that it is up")]
    Timeout,
}

/// Keeps the certificates.
pub struct Keeper {
    client: Client,
    settings: Settings,
    served: Arc<HotCertificate>,
    ready: Check,
    metrics: Metrics,
    stored: Stored,
    /// The last certificates seen, which outlive their Secret.
    certificates: Option<Certificates>,
    bundles: BTreeMap<Target, Bundles>,
    /// When the `caBundle` of each target was applied.
    applied: BTreeMap<Target, Instant>,
    /// Since when every target has had the bundle that it has to have.
    trusted_since: Option<Instant>,
}

/// The Secret.
#[derive(Clone)]
enum Stored {
    /// Nothing has been heard of it.
    Unknown,
    Absent,
    Present(Box<Secret>),
}

impl Stored {
    fn certificates(&self) -> Option<Certificates> {
        match self {
            Self::Present(secret) => Certificates::of(secret),
            Self::Unknown | Self::Absent => None,
        }
    }
}

impl From<Option<Secret>> for Stored {
    fn from(secret: Option<Secret>) -> Self {
        secret.map_or(Self::Absent, |secret| Self::Present(Box::new(secret)))
    }
}

enum Change {
    Stored(Stored),
    Bundles(Target, Bundles),
}

impl Keeper {
    /// Serves certificates through `served` and passes `ready` once the apiserver trusts them.
    pub fn new(
        client: Client,
        settings: Settings,
        served: Arc<HotCertificate>,
        ready: Check,
        metrics: Metrics,
    ) -> Self {
        let (stored, certificates, trusted_since) = (Stored::Unknown, None, None);
        let (bundles, applied) = (BTreeMap::new(), BTreeMap::new());
        Self { client, settings, served, ready, metrics, stored, certificates, bundles, applied, trusted_since }
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        let mut changes = pin!(self.changes());
        let mut again = self.settings.tick;
        loop {
            tokio::select! {
                Some(change) = changes.next() => self.learn(change),
                () = time::sleep(again) => {}
            }
            again = match time::timeout(PATIENCE, self.step()).await.unwrap_or(Err(KeeperError::Timeout)) {
                Ok(again) => again,
                Err(error) => {
                    tracing::warn!(%error, "certificates are not as they should be, trying again");
                    PAUSE
                }
            };
        }
    }

    fn changes(&self) -> impl Stream<Item = Change> + Send + use<> {
        let secrets = watch_object(self.secrets(), SECRET).map(|secret| Change::Stored(secret.into())).boxed();
        let targets = self.settings.targets.iter().map(|target| target.watch(&self.client));
        let bundles = targets.map(|stream| stream.map(|(target, bundles)| Change::Bundles(target, bundles)).boxed());
        stream::select_all(std::iter::once(secrets).chain(bundles))
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.settings.namespace)
    }

    fn learn(&mut self, change: Change) {
        match change {
            Change::Stored(stored) => self.stored = stored,
            Change::Bundles(target, bundles) => {
                self.bundles.insert(target, bundles);
            }
        }
    }

    /// Does what is to be done now, and answers when to look again if nothing changes.
    async fn step(&mut self) -> Result<Duration, KeeperError> {
        if matches!(self.stored, Stored::Unknown) {
            return Ok(self.settings.tick);
        }
        if let Some(certificates) = self.stored.certificates() {
            self.serve(certificates)?;
        }
        let waiting = self.trust().await?;
        if let Some(changed) = self.changed(Timestamp::now())? {
            self.write(&changed).await?;
        }
        Ok(if waiting { PAUSE } else { self.settings.tick })
    }

    fn serve(&mut self, certificates: Certificates) -> Result<(), IssueError> {
        if self.certificates.as_ref() != Some(&certificates) {
            self.served.set(certificates.served()?);
            let until = certificates.leaf_until()?;
            self.metrics.certificate_expires(until);
            tracing::info!(%until, "serving a certificate");
            self.certificates = Some(certificates);
        }
        Ok(())
    }

    /// Has every target trust the certificates, and answers whether one was changed so lately that it has to wait.
    async fn trust(&mut self) -> Result<bool, KeeperError> {
        let Some(certificates) = &self.certificates else { return Ok(false) };
        let (bundle, mut waiting) = (certificates.bundle(), false);
        let differing: Vec<_> = self.bundles.iter().filter(|(_, bundles)| !all_are(bundles, &bundle)).collect();
        let known = self.bundles.len() == self.settings.targets.len();
        if known && differing.is_empty() {
            self.trusted_since.get_or_insert_with(Instant::now);
            self.ready.pass();
        } else {
            self.trusted_since = None;
        }
        for (target, bundles) in differing {
            // Where somebody else keeps writing it, that is not answered at the speed of the network.
            if self.applied.get(target).is_some_and(|applied| applied.elapsed() < PAUSE) {
                waiting = true;
                continue;
            }
            self.applied.insert(target.clone(), Instant::now());
            target.trust(&self.client, bundles, &bundle).await?;
            self.metrics.bundle_applied();
            tracing::info!(object = ?target, "the apiserver is told to trust the certificates");
        }
        Ok(waiting)
    }

    /// The certificates as they are to be, where that is not what the Secret holds.
    fn changed(&self, now: Timestamp) -> Result<Option<Certificates>, IssueError> {
        let Settings { names, lifetimes, .. } = &self.settings;
        let current = match (self.stored.certificates(), &self.certificates) {
            (Some(current), _) => current,
            // Deleting the Secret is how people ask for new certificates; what is served goes on until they are trusted.
            (None, Some(last)) => return last.overlap(names, now, lifetimes).map(Some),
            (None, None) => return Certificates::create(names, now, lifetimes).map(Some),
        };
        let trusted_for = self.trusted_since.map(|since| since.elapsed());
        Ok(match next(current.state(names, now).ok().as_ref(), trusted_for, now, lifetimes) {
            Step::Keep => None,
            Step::Create => Some(Certificates::create(names, now, lifetimes)?),
            Step::Overlap => Some(current.overlap(names, now, lifetimes)?),
            Step::Sign => Some(current.sign(names, now, lifetimes)?),
            Step::Retire => Some(current.retire()),
        })
    }

    /// Writes the Secret, unless another replica was faster.
    async fn write(&mut self, certificates: &Certificates) -> Result<(), kube::Error> {
        let (data, parameters) = (Some(certificates.data()), PostParams::default());
        let written = match &self.stored {
            Stored::Present(secret) => {
                let secret = Secret { data, ..Secret::clone(secret) };
                self.secrets().replace(SECRET, &parameters, &secret).await
            }
            Stored::Unknown | Stored::Absent => self.secrets().create(&parameters, &new_secret(data)).await,
        };
        match written {
            Ok(written) => {
                tracing::info!("certificates written");
                self.stored = Some(written).into();
                Ok(())
            }
            // The watch will bring what the other has written.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn new_secret(data: Option<BTreeMap<String, k8s_openapi::ByteString>>) -> Secret {
    let labels = [
        ("app.kubernetes.io/name", "komputer-webhooks"),
        ("app.kubernetes.io/part-of", "komputer"),
        ("app.kubernetes.io/managed-by", "komputer-webhooks"),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let metadata = ObjectMeta { name: Some(SECRET.into()), labels: Some(labels), ..Default::default() };
    Secret { metadata, data, type_: Some("Opaque".into()), ..Default::default() }
}
