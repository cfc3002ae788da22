//! The running task's account: every event of the task goes through it, so it always knows what the task has used up.
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use komputer_events::{Body, FailureReason, task::TaskRequest};
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{allowances::Allowances, store::TaskUid, tally::Tally};
use crate::journal::{Journal, JournalError};

const FULL: &str = "the workspace's volume is full: make room in it or give the agent a larger one";

/// How long a call to the model waits for a larger allowance before its task is paused.
const PATIENCE: Duration = Duration::from_secs(5);

/// One task's events and what they add up to.
#[derive(Debug)]
pub(crate) struct Account {
    uid: TaskUid,
    request: TaskRequest,
    journal: Arc<Journal>,
    tally: Mutex<Tally>,
    refused: CancellationToken,
    allowances: Arc<Allowances>,
    /// A call has waited long enough.
    paused: Notify,
}

impl Account {
    pub(crate) fn new(
        uid: TaskUid,
        request: TaskRequest,
        tally: Tally,
        journal: Arc<Journal>,
        allowances: Arc<Allowances>,
    ) -> Self {
        let (refused, paused) = (CancellationToken::new(), Notify::new());
        Self { uid, request, journal, tally: Mutex::new(tally), refused, allowances, paused }
    }

    /// Writes down what happened.
    pub(crate) fn say(&self, body: Body) -> Result<(), JournalError> {
        let mut tally = self.lock();
        let event = self.journal.append(Some(self.uid.as_str()), body)?;
        tally.fold(&event);
        Ok(())
    }

    /// Why the task cannot go on, if so.
    pub(crate) fn obstacle(&self) -> Option<(FailureReason, String)> {
        let full = || self.journal.is_short().then(|| (FailureReason::WorkspaceFull, FULL.to_owned()));
        self.overdue(Timestamp::now()).or_else(full)
    }

    /// When the task has to have ended, where it may not take for ever.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.lock().deadline(&self.request)
    }

    /// Why the task may not go on at that time, where it has taken as long as it may.
    pub(crate) fn overdue(&self, now: Timestamp) -> Option<(FailureReason, String)> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        let length = Duration::from_millis(self.request.deadline_ms.unwrap_or_default());
        Some((FailureReason::DeadlineExceeded, format!("the task had to end within {length:?} and has not")))
    }

    /// What the task has used up.
    pub(crate) fn tally(&self) -> Tally {
        self.lock().clone()
    }

    /// What was asked for.
    pub(crate) fn request(&self) -> &TaskRequest {
        &self.request
    }

    /// Why the task may not call the model now, if so; from then on [`Self::refused`] returns.
    pub(crate) fn refuse_if_exhausted(&self) -> Option<(FailureReason, String)> {
        let exhausted = self.lock().exhausted(&self.request)?;
        self.refused.cancel();
        Some(exhausted)
    }

    /// Returns once the task was refused a call to the model.
    pub(crate) async fn refused(&self) {
        self.refused.cancelled().await;
    }

    /// Whether a budget limits what the task may cost.
    pub(crate) fn is_limited(&self) -> bool {
        self.allowances.of(&self.uid).is_some()
    }

    /// Whether budgets let the task call the model, now or soon. Where they do not, [`Self::paused`] returns.
    pub(crate) async fn is_allowed(&self) -> bool {
        let is_allowed = timeout(PATIENCE, self.larger_allowance()).await.is_ok();
        if !is_allowed {
            self.paused.notify_one();
        }
        is_allowed
    }

    /// Returns once a call to the model has waited long enough for a larger allowance.
    pub(crate) async fn paused(&self) {
        self.paused.notified().await;
    }

    /// Waits until budgets let the task go on, and says so; without a word where they do.
    pub(crate) async fn wait_for_allowance(&self) -> Result<(), JournalError> {
        let Some((up_to, budget)) = self.allowances.of(&self.uid) else { return Ok(()) };
        let cost_usd = self.lock().cost;
        if cost_usd < up_to {
            return Ok(());
        }
        let say = |state: &str, budget, allowance_usd| {
            self.say(Body::Budget { state: state.into(), budget, cost_usd, allowance_usd })
        };
        say("waiting", budget.clone(), Some(up_to))?;
        self.larger_allowance().await;
        let (allowance, budget) = self.allowances.of(&self.uid).map_or((None, budget), |(up_to, by)| (Some(up_to), by));
        say("going_on", budget, allowance)
    }

    async fn larger_allowance(&self) {
        let cost = self.lock().cost;
        self.allowances.exceeds(&self.uid, cost).await;
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
