use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use komputer_crds::v1beta1::{KomputerBudget, KomputerBudgetStatus};
use kube::{
    ResourceExt,
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    decide::decide,
    ledger::{Ledger, Standing},
};
use crate::{controller::Controller, plan::Plan};

/// Keeps budgets' statuses, and in them what agents have cost that are gone.
pub struct BudgetController {
    /// What agents have cost.
    pub ledger: Arc<Ledger>,
    /// Namespaces.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
}

/// All that decides about a budget.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The budget.
    pub budget: Arc<KomputerBudget>,
    /// How it stands; nothing where it is not valid.
    pub standing: Option<Standing>,
    /// Whether it is not known yet what agents have cost that are gone.
    pub is_reading: bool,
    /// Whether its namespace is being deleted.
    pub namespace_is_going: bool,
    /// When its status was last written.
    pub written: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl Controller for BudgetController {
    type Object = KomputerBudget;
    type Observed = Observed;
    type Status = KomputerBudgetStatus;
    // A thousand agents that spend at once are added up a few times, not a thousand.
    const DEBOUNCE: Duration = Duration::from_millis(200);

    fn observe(&self, budget: Arc<KomputerBudget>, now: Timestamp, written: Option<Timestamp>) -> Observed {
        let namespace = self.namespaces.get(&ObjectRef::new(&budget.namespace().unwrap_or_default()));
        Observed {
            standing: self.ledger.standing(&budget, now),
            is_reading: self.ledger.is_reading(),
            namespace_is_going: namespace.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some()),
            budget,
            written,
            now,
        }
    }

    fn decide(observed: &Observed) -> Plan<KomputerBudgetStatus> {
        decide(observed)
    }
}
