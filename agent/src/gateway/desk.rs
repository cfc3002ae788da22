//! Who may call the model now, and on whose account.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use komputer_events::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::{meter::Charge, refusal::Refusal};
use crate::{journal::JournalError, tasks::Account};

/// Calls of one task at a time: one of its own, and some of subagents.
const CALLS: usize = 16;

/// Admits the running task's calls to the model, and no other.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    open: Mutex<Option<Business>>,
}

/// One task's business.
#[derive(Clone, Debug)]
struct Business {
    account: Arc<Account>,
    /// Ends calls that are under way.
    closing: CancellationToken,
    calls: TaskTracker,
    /// Calls of a limited task go one by one: the one that reaches the limit is then the only one to pass it.
    one_by_one: Arc<Semaphore>,
}

/// A call that was admitted. The desk does not close before it is dropped.
#[derive(Debug)]
pub(super) struct Call {
    account: Arc<Account>,
    closing: CancellationToken,
    _counted: TaskTrackerToken,
    _alone: Option<OwnedSemaphorePermit>,
}

impl Desk {
    /// From here on calls are charged to `account`.
    pub(crate) fn open(&self, account: Arc<Account>) {
        let (closing, calls) = (CancellationToken::new(), TaskTracker::new());
        *self.lock() = Some(Business { account, closing, calls, one_by_one: Arc::new(Semaphore::new(1)) });
    }

    /// Admits no more calls, cuts those under way and returns when all of them are charged.
    pub(crate) async fn close(&self) {
        let Some(business) = self.lock().take() else { return };
        business.closing.cancel();
        business.calls.close();
        business.calls.wait().await;
    }

    /// Admits a call, unless no task runs or the running one may not; one that budgets do not let be made now waits.
    pub(super) async fn admit(&self, costs_something: bool) -> Result<Call, Refusal> {
        let Some(business) = self.lock().clone() else { return Err(Refusal::NoTask) };
        let alone = if costs_something { business.turn().await? } else { None };
        let Business { account, closing, calls, .. } = business;
        if calls.len() >= CALLS {
            return Err(Refusal::TooManyCalls(CALLS));
        }
        Ok(Call { account, closing, _counted: calls.token(), _alone: alone })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Business>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Business {
    /// Waits until the task may make a call that costs something: where budgets limit it, alone.
    async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        self.exhausted()?;
        if !self.account.is_limited() {
            return Ok(None);
        }
        let turn = async {
            let alone = self.one_by_one.clone().acquire_owned().await.ok(); // never closed
            if self.account.is_allowed().await { Ok(alone) } else { Err(Refusal::WaitsForBudget) }
        };
        let alone = tokio::select! {
            biased;
            () = self.closing.cancelled() => return Err(Refusal::NoTask),
            alone = turn => alone?,
        };
        self.exhausted()?; // the call before may have reached the task's own limit
        Ok(alone)
    }

    fn exhausted(&self) -> Result<(), Refusal> {
        self.account.refuse_if_exhausted().map_or(Ok(()), |(_, words)| Err(Refusal::Exhausted(words)))
    }
}

impl Call {
    /// Charges the task for a part of the call.
    pub(super) fn charge(&self, charge: Charge) -> Result<(), JournalError> {
        let Charge { model, consumption } = charge;
        self.account.say(Body::Usage { cost_usd: consumption.cost(&model), model, usage: consumption.tokens })
    }

    /// Returns once the call must end.
    pub(super) fn cut(&self) -> WaitForCancellationFutureOwned {
        self.closing.clone().cancelled_owned()
    }
}
