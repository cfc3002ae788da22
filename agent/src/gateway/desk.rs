//! Who may call the model now, and on whose account.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use komputer_events::Body;
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
}

/// A call that was admitted. The desk does not close before it is dropped.
#[derive(Debug)]
pub(super) struct Call {
    account: Arc<Account>,
    closing: CancellationToken,
    _counted: TaskTrackerToken,
}

impl Desk {
    /// From here on calls are charged to `account`.
    pub(crate) fn open(&self, account: Arc<Account>) {
        let business = Business { account, closing: CancellationToken::new(), calls: TaskTracker::new() };
        *self.lock() = Some(business);
    }

    /// Admits no more calls, cuts those under way and returns when all of them are charged.
    pub(crate) async fn close(&self) {
        let Some(business) = self.lock().take() else { return };
        business.closing.cancel();
        business.calls.close();
        business.calls.wait().await;
    }

    /// Admits a call, unless no task runs or the running one may not.
    pub(super) fn admit(&self, costs_something: bool) -> Result<Call, Refusal> {
        let Some(Business { account, closing, calls }) = self.lock().clone() else { return Err(Refusal::NoTask) };
        if costs_something && let Some((_, words)) = account.refuse_if_exhausted() {
            return Err(Refusal::Exhausted(words));
        }
        if calls.len() >= CALLS {
            return Err(Refusal::TooManyCalls(CALLS));
        }
        Ok(Call { account, closing, _counted: calls.token() })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Business>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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
