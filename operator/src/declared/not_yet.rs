//! Kinds that are declared and judged, and not carried out yet. Their status says so, so that nobody waits for them.
use komputer_crds::{
    v1beta1::{KomputerBudget, KomputerBudgetStatus},
    validate::Kind,
};

use super::{
    decide::{Declared, Verdict},
    world::World,
};
use crate::conditions::Progress;

impl Declared for KomputerBudget {
    const KIND: Kind = Kind::Budget;
    type Facts = ();

    fn look(&self, _: &World) {}

    fn judge(&self, (): &()) -> Verdict<KomputerBudgetStatus> {
        let message = "This version of komputer does not enforce budgets; set spec.maxCostUSD of tasks meanwhile";
        Verdict::new(Progress::Stalled, "NotImplemented", message, KomputerBudgetStatus::default())
    }
}
