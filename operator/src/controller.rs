//! The one shape of every controller: `observe` reads caches, `decide` is pure, carrying out is shared.
use std::{
    collections::HashMap,
    convert::Infallible,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Resource, ResourceExt,
    runtime::{
        controller::{self, Action, Config, applier},
        reflector::{ObjectRef, Store},
    },
};
use serde::Serialize;
use tracing::{Instrument as _, debug_span};

use crate::{
    carry_out::{CarryOutError, Hands},
    clock,
    freshness::{Unseen, Version},
    plan::{Plan, Report, Severity},
    queue::{Queue, reference},
    status::PROGRESS,
    turns::{Turn, Turns},
    watch::Watched,
};

/// A controller of one kind.
pub trait Controller: Send + Sync + 'static {
    /// The kind.
    type Object: Watched;
    /// All that a decision may look at. No client, no clock: `decide` must not be able to ask for more.
    type Observed: Send;
    /// The kind's status.
    type Status: Serialize + Send + Sync;
    /// How long to wait after a change whether another follows: for kinds that many others wake.
    const DEBOUNCE: Duration = Duration::ZERO;

    /// Reads the caches. `written` is when this process last wrote the object's status.
    fn observe(&self, object: Arc<Self::Object>, now: Timestamp, written: Option<Timestamp>) -> Self::Observed;
    /// Decides.
    fn decide(observed: &Self::Observed) -> Plan<Self::Status>;
    /// What was asked of an object is done and answered.
    fn answered(&self, _object: &ObjectRef<Self::Object>, _request: &str) {}
    /// An object is gone, and nothing is being done about it any more.
    fn forget(&self, _object: &ObjectRef<Self::Object>) {}
}

/// Even a settled object is looked at once an hour: a missed watch event heals itself, and so does a clock that was wrong.
pub(crate) const HEARTBEAT: Duration = Duration::from_hours(1);
/// All beats of an hour; each object is looked at on one of them. A timer for each would be memory for each.
const BEATS: u32 = 60;
/// When an object is looked at again of which not all that was written has arrived; it wakes us by itself before.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Reconciles at the same time; more only queue in the apiserver.
const CONCURRENCY: u16 = 32;

/// A controller, and what it remembers.
pub(crate) struct Context<C: Controller> {
    controller: C,
    hands: Hands,
    memory: Mutex<HashMap<ObjectRef<C::Object>, Memory>>,
    turns: Turns,
}

/// What is remembered of an object between two looks.
#[derive(Debug, Default, PartialEq)]
struct Memory {
    failures: u32,
    written: Option<Timestamp>,
    version: Option<Version>,
    /// When a status that can wait is written.
    turn: Option<Turn>,
    unseen: Unseen,
}

/// What kube says after a look.
type Looked<K> = Result<(ObjectRef<K>, Action), controller::Error<CarryOutError, Infallible>>;

/// Reconciles what `queue` names, and everything once an hour, for as long as the process lives.
pub async fn run<C: Controller>(controller: C, hands: Hands, store: Store<C::Object>, queue: Queue<C::Object>) {
    let context = Arc::new(Context::new(controller, hands));
    let config = Config::default().concurrency(CONCURRENCY).debounce(C::DEBOUNCE);
    let reconcile = |object, context| Box::pin(reconcile(object, context));
    let back_off = |object, error: &_, context| Action::requeue(back_off(object, error, context));
    queue.open(store.clone());
    let waiting = queue.clone();
    context.hands.metrics.queue(C::Object::kind(&()).into_owned(), move || waiting.len());
    let taken = queue.taken().map(Ok::<_, Infallible>);
    let results = applier(reconcile, back_off, context.clone(), store.clone(), taken, config);
    let results = results.for_each(|result| {
        if let Some(object) = context.looked_at(result) {
            queue.lay_down(&object);
        }
        std::future::ready(())
    });
    tokio::select! {
        () = results => {}
        () = keep_beating(&context, &store, &queue) => {}
    }
}

/// Has every object of the store looked at once in [`HEARTBEAT`], and forgets what need not be remembered.
async fn keep_beating<C: Controller>(context: &Context<C>, store: &Store<C::Object>, queue: &Queue<C::Object>) {
    for beat in (0..BEATS).cycle() {
        tokio::time::sleep(HEARTBEAT / BEATS).await;
        context.tidy(clock::now());
        for object in store.state() {
            let reference = ObjectRef::from_obj(&*object);
            if hash(&reference) % u64::from(BEATS) == u64::from(beat) {
                queue.wake(reference);
            }
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::new().hash_one(value)
}

async fn reconcile<C: Controller>(object: Arc<C::Object>, context: Arc<Context<C>>) -> Result<Action, CarryOutError> {
    let begun = Instant::now();
    let kind = C::Object::kind(&()).into_owned();
    let (namespace, name) = (object.namespace(), object.name_any());
    let result = look(object, &context).instrument(debug_span!("reconcile", kind, namespace, name)).await;
    context.hands.metrics.reconciled(kind, result.as_ref().map(drop), begun.elapsed());
    result.map(|again| again.map_or_else(Action::await_change, Action::requeue))
}

/// Looks at one object, and has done what is to be; answers when to look again although nothing changes, where that is
/// before its heartbeat.
pub(crate) async fn look<C: Controller>(
    object: Arc<C::Object>,
    context: &Context<C>,
) -> Result<Option<Duration>, CarryOutError> {
    let reference = reference(&object.name_any(), object.namespace().as_deref());
    let now = clock::now();
    let seen = Version::of(object.meta());
    let (lacks, written) = context.remember(&reference, |memory| {
        memory.version = memory.version.filter(|own| seen.is_some_and(|seen| seen < *own));
        (memory.version.is_some() || memory.unseen.lacks(&context.hands.freshness, now), memory.written)
    });
    if lacks {
        return Ok(Some(CATCH_UP)); // our own last writes wake us when they come
    }
    let begun = Instant::now();
    let observed = context.controller.observe(object.clone(), now, written);
    let plan = context.in_turn(&reference, C::decide(&observed), now);
    context.hands.metrics.decided(C::Object::kind(&()).into_owned(), begun.elapsed());
    if !plan.apply.is_empty() {
        context.turns.press(now);
    }
    let done = context.hands.carry_out(&*object, &plan).await?;
    context.remember(&reference, |memory| {
        memory.written = if plan.status.is_some() { Some(now) } else { memory.written };
        memory.version = done.status.or(memory.version);
        memory.unseen.add(done.writes, clock::now());
    });
    let namespace = object.namespace().unwrap_or_default();
    for errand in &plan.errands {
        let (answer, write) = context.hands.run_errand(&namespace, errand).await?;
        context.remember(&reference, |memory| memory.unseen.add(write, clock::now())); // also where it cannot be told
        context.hands.call(&namespace, &answer).await?;
        context.controller.answered(&reference, &errand.id);
    }
    let last = match &plan.last {
        Some(child) => context.hands.apply_child(&namespace, child).await?,
        None => None,
    };
    context.remember(&reference, |memory| {
        memory.unseen.add(last, clock::now());
        memory.failures = 0;
    });
    Ok(plan.again.map(|again| again.min(HEARTBEAT)))
}

/// One second, doubling to five minutes, for each object by itself.
pub(crate) fn back_off<C: Controller>(
    object: Arc<C::Object>,
    error: &CarryOutError,
    context: Arc<Context<C>>,
) -> Duration {
    if matches!(error, CarryOutError::Outdated) {
        tracing::debug!(kind = %C::Object::kind(&()), namespace = object.namespace(), name = object.name_any(), "{error}");
        return CATCH_UP; // what changed it wakes us by itself before
    }
    let mut failures = 0;
    context.remember(&reference(&object.name_any(), object.namespace().as_deref()), |memory| {
        memory.failures = memory.failures.saturating_add(1);
        failures = memory.failures;
    });
    context.hands.metrics.retried(C::Object::kind(&()).into_owned(), error);
    let delay = Duration::from_secs(1 << (failures - 1).min(8)).min(Duration::from_mins(5));
    if !matches!(error, CarryOutError::NotLeading) {
        let report = Report { severity: Severity::Warning, reason: error.reason().into(), message: error.to_string() };
        context.hands.recorder.report(object.object_ref(&()), report);
    }
    tracing::warn!(
        kind = %C::Object::kind(&()), namespace = object.namespace(), name = object.name_any(),
        reason = error.reason(), error = error as &dyn std::error::Error, ?delay, "could not carry out a plan",
    );
    delay
}

impl<C: Controller> Context<C> {
    pub(crate) fn new(controller: C, hands: Hands) -> Self {
        Self { controller, hands, memory: Mutex::default(), turns: Turns::default() }
    }

    /// The plan, without a status that can wait where its turn has not come.
    fn in_turn(&self, reference: &ObjectRef<C::Object>, plan: Plan<C::Status>, now: Timestamp) -> Plan<C::Status> {
        if !plan.is_patient || plan.status.is_none() {
            return plan;
        }
        match self.remember(reference, |memory| self.turns.left(&mut memory.turn, now)) {
            Some(left) => plan.without_status(left),
            None => plan,
        }
    }

    /// Which object was looked at. One that is gone is never looked at again; one of its name is another.
    fn looked_at(&self, result: Looked<C::Object>) -> Option<ObjectRef<C::Object>> {
        match result {
            Ok((object, _)) => Some(object),
            Err(controller::Error::ReconcilerFailed(_, object)) => {
                Some(reference(&object.name, object.namespace.as_deref()))
            }
            Err(controller::Error::ObjectNotFound(gone)) => {
                let gone = reference(&gone.name, gone.namespace.as_deref());
                self.forget(&gone);
                Some(gone)
            }
            Err(_) => None,
        }
    }

    pub(crate) fn forget(&self, gone: &ObjectRef<C::Object>) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(gone);
        self.controller.forget(gone);
    }

    /// What of an object's memory is nothing is not kept: most objects are settled.
    fn remember<T>(&self, reference: &ObjectRef<C::Object>, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memories = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = memories.remove(reference).unwrap_or_default();
        let answer = change(&mut memory);
        if memory != Memory::default() {
            memories.insert(reference.clone(), memory);
        }
        answer
    }

    fn tidy(&self, now: Timestamp) {
        let mut memories = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memories.retain(|_, memory| {
            let is_recent = |written: &Timestamp| now.duration_since(*written).unsigned_abs() < PROGRESS;
            memory.written = memory.written.filter(is_recent);
            *memory != Memory::default()
        });
        memories.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests;
