//! The only code that writes to the cluster.
mod children;
mod error;
mod status;

use std::fmt::Debug;

use jiff::SignedDuration;
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{PersistentVolumeClaim, Pod},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use komputer_crds::v1beta1::{KomputerAgent, KomputerSchedule, KomputerSquad, KomputerTask};
use komputer_events::office::Answer;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{GetParams, ObjectMeta, Request},
    core::PartialObjectMeta,
};
use serde::Serialize;
use tracing::{Instrument as _, debug_span};

pub use error::CarryOutError;
pub(crate) use error::{TIMEOUT, is_not_found, words};
use error::{is_conflict, is_refusal};

use crate::{
    agent_client::AgentClient,
    budget::Accounts,
    clock,
    freshness::{Freshness, Version, Write},
    lease::Leadership,
    metrics::Metrics,
    plan::{Call, Child, Effect, Errand, Exactly, Plan, Removal},
    recorder::Recorder,
    step::Step,
};

/// The field manager of children.
pub const MANAGER: &str = "komputer-operator";
/// The field manager of statuses.
pub const STATUS_MANAGER: &str = "komputer-operator-status";
/// A cache that lags less behind than that shows no task's end and deletion too late.
const YOUNG: SignedDuration = SignedDuration::from_secs(30);
/// An answer of metadata only.
pub(crate) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// A namespaced object of a kind that is known at compile time.
pub trait Object: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug {}

impl<K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug> Object for K {}

/// Carries plans out.
#[derive(Clone)]
pub struct Hands {
    /// For everything in the cluster.
    pub client: Client,
    /// For agents.
    pub agents: AgentClient,
    /// For what agents have cost.
    pub accounts: Accounts,
    /// For people.
    pub recorder: Recorder,
    /// Whether this process may write.
    pub leading: Leadership,
    /// What is counted.
    pub metrics: Metrics,
    /// Which writes the caches show by now.
    pub freshness: Freshness,
}

/// What has come of a plan.
#[derive(Debug, Default)]
pub struct Done {
    /// The version of the object that has the status, where one was written.
    pub status: Option<Version>,
    /// What was written beside it, and caches are to show before anything is decided again.
    pub writes: Vec<Write>,
}

impl Hands {
    /// Removals first, then children, what an agent has cost, calls, and the status, which never speaks of something that was not done; people
    /// are told last.
    ///
    /// # Errors
    /// The first step that fails.
    pub async fn carry_out<O, S>(&self, object: &O, plan: &Plan<S>) -> Result<Done, CarryOutError>
    where
        O: Resource<DynamicType = ()>,
        S: Serialize,
    {
        let namespace = object.namespace().unwrap_or_default();
        let mut done = Done::default();
        let writes = plan.status.is_some() || !plan.apply.is_empty();
        if writes && !self.are_present(&namespace, &plan.present).await? {
            return Err(CarryOutError::Outdated);
        }
        if plan.makes_task() && !self.is_newest(object).await? {
            return Err(CarryOutError::Outdated);
        }
        for removal in &plan.remove {
            done.writes.extend(self.remove(&namespace, removal).await?);
        }
        for child in &plan.apply {
            done.writes.extend(self.apply_child(&namespace, child).await?);
        }
        if let Some(statement) = &plan.statement {
            self.fence()?;
            Step::Keep.around(&namespace, self.accounts.write(statement)).await?;
        }
        for call in &plan.calls {
            self.call(&namespace, call).await?;
        }
        done.status = match &plan.status {
            Some(status) => Step::Status.around(&namespace, self.write_status(object, status)).await?,
            None => None,
        };
        for report in &plan.reports {
            self.recorder.report(object.object_ref(&()), report.clone());
        }
        Ok(done)
    }

    /// Does what a manager has asked for, and says what to answer. What the cluster refuses is answered with its words:
    /// trying it again would change nothing, and the manager can.
    ///
    /// # Errors
    /// It could not be done now, and may be later.
    pub async fn run_errand(&self, namespace: &str, errand: &Errand) -> Result<(Call, Option<Write>), CarryOutError> {
        let done = match &errand.effect {
            Some(Effect::Apply(child)) => self.apply_child(namespace, child).await,
            Some(Effect::Remove(removal)) => self.remove(namespace, removal).await,
            None => Ok(None),
        };
        let (answer, write) = match done {
            Err(CarryOutError::Api { source, .. }) if is_refusal(&source) => (Answer::Error(words(&source)), None),
            Err(error @ CarryOutError::NotOurs { .. }) => (Answer::Error(error.to_string()), None),
            done => (errand.answer.clone(), done?),
        };
        let (pod, id) = (errand.pod.clone(), errand.id.clone());
        Ok((Call::Answer { pod, id, answer }, write))
    }

    /// Says something to an agent.
    ///
    /// # Errors
    /// It could not be told.
    pub async fn call(&self, namespace: &str, call: &Call) -> Result<(), CarryOutError> {
        self.fence()?;
        Ok(Step::from(call).around(namespace, self.agents.call(call)).await?)
    }

    async fn remove(&self, namespace: &str, removal: &Removal) -> Result<Option<Write>, CarryOutError> {
        Step::from(removal).around(namespace, self.remove_any(namespace, removal)).await
    }

    async fn remove_any(&self, namespace: &str, removal: &Removal) -> Result<Option<Write>, CarryOutError> {
        match removal {
            Removal::Pod(pod) => self.delete::<Pod>(namespace, pod).await,
            Removal::Volume(volume) => self.delete::<PersistentVolumeClaim>(namespace, volume).await,
            Removal::Task(task) => self.delete::<KomputerTask>(namespace, task).await,
            Removal::Agent(agent) => self.delete::<KomputerAgent>(namespace, agent).await,
            Removal::Schedule(schedule) => self.delete::<KomputerSchedule>(namespace, schedule).await,
            Removal::Squad(squad) => self.delete::<KomputerSquad>(namespace, squad).await,
        }
    }

    /// Applies one child.
    ///
    /// # Errors
    /// It cannot be applied.
    pub async fn apply_child(&self, namespace: &str, child: &Child) -> Result<Option<Write>, CarryOutError> {
        Step::from(child).around(namespace, self.apply_any(namespace, child)).await
    }

    async fn apply_any(&self, namespace: &str, child: &Child) -> Result<Option<Write>, CarryOutError> {
        match child {
            // These are no worse for being applied twice.
            Child::ServiceAccount(account) => self.apply(namespace, &**account).await.map(|_| None),
            Child::NetworkPolicy(policy) => self.apply(namespace, &**policy).await.map(|_| None),
            Child::Secret(secret) => self.create_or_apply(namespace, &**secret).await.map(|_| None),
            Child::Volume(volume) => self.create(namespace, &**volume).await,
            Child::Pod(pod) => self.create(namespace, &**pod).await,
            Child::Task(task) => self.create(namespace, &**task).await,
            Child::Office(office) => self.create(namespace, &**office).await,
            Child::Schedule(schedule) => self.create(namespace, &**schedule).await,
            Child::VolumeSize(volume, size) => self.resize(namespace, volume, size).await,
            Child::Cancellation(task) => self.cancel(namespace, task).await,
            Child::Agent(agent) => match self.apply(namespace, &**agent).await {
                Err(CarryOutError::Api { source, .. }) if is_conflict(&source) => Err(CarryOutError::Outdated),
                result => result,
            },
        }
    }

    /// Whether an object of some age is still as it was seen, by the apiserver's own word (docs/decisions/0014).
    async fn is_newest<O: Resource<DynamicType = ()>>(&self, object: &O) -> Result<bool, CarryOutError> {
        let made = object.meta().creation_timestamp.as_ref();
        if made.is_some_and(|made| clock::now().duration_since(made.0).abs() < YOUNG) {
            return Ok(true);
        }
        let name = object.name_any();
        let collection = Request::new(O::url_path(&(), object.namespace().as_deref()));
        let request = collection.get_metadata(&name, &GetParams::default()).map_err(kube::Error::BuildRequest);
        let request = async { self.client.request::<PartialObjectMeta<O>>(request?).await };
        match self.write("read", kind::<O>(), &name, request).await {
            Err(CarryOutError::Api { source, .. }) if is_not_found(&source) => Ok(false),
            found => Ok(found?.metadata.resource_version == object.meta().resource_version),
        }
    }

    /// Whether all of these agents are there, by the apiserver's own word: a cache may show one that has gone.
    async fn are_present(&self, namespace: &str, agents: &[Exactly]) -> Result<bool, CarryOutError> {
        let api = Api::<KomputerAgent>::namespaced(self.client.clone(), namespace);
        for Exactly { name, uid } in agents {
            let found = self.write("read", kind::<KomputerAgent>(), name, api.get_metadata_opt(name)).await?;
            if found.is_none_or(|found| found.metadata.uid.as_ref() != Some(uid)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The apiserver is asked to answer with metadata only: nothing else of an answer is read.
    fn metadata_of<K: Object>(&self, namespace: &str) -> Api<PartialObjectMeta<K>> {
        Api::namespaced(self.client.clone(), namespace)
    }

    async fn write<T>(
        &self,
        action: &'static str,
        kind: String,
        name: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, CarryOutError> {
        self.fence()?;
        let (of_kind, name) = (kind.clone(), name.to_owned());
        let request = request.instrument(debug_span!("write", action, kind, name));
        let result = match tokio::time::timeout(TIMEOUT, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(CarryOutError::Api { action, kind, name, source: Box::new(source) }),
            Err(_) => Err(CarryOutError::Timeout { action, kind, name }),
        };
        self.metrics.written(action, of_kind, result.as_ref().map(drop));
        result
    }

    fn fence(&self) -> Result<(), CarryOutError> {
        if self.leading.holds() { Ok(()) } else { Err(CarryOutError::NotLeading) }
    }
}

/// The controller that owns `object`.
pub(crate) fn owner(object: &ObjectMeta) -> Option<&OwnerReference> {
    object.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

fn kind<K: Resource<DynamicType = ()>>() -> String {
    K::kind(&()).into_owned()
}
