//! Kinds that are declared and judged, and not carried out yet. Their status says so, so that nobody waits for them.
use komputer_crds::{
    v1beta1::{KomputerBudget, KomputerBudgetStatus, KomputerSchedule, KomputerScheduleStatus},
    validate::Kind,
};

use super::{
    decide::{Declared, Verdict},
    world::World,
};
use crate::conditions::Progress;

macro_rules! not_yet {
    ($kind:ident, $rules:expr, $status:ident, $message:literal) => {
        impl Declared for $kind {
            const KIND: Kind = $rules;
            type Facts = ();

            fn look(&self, _: &World) {}

            fn judge(&self, (): &()) -> Verdict<$status> {
                Verdict::new(Progress::Stalled, "NotImplemented", $message, $status::default())
            }
        }
    };
}

not_yet!(
    KomputerBudget,
    Kind::Budget,
    KomputerBudgetStatus,
    "This version of komputer does not enforce budgets; set spec.maxCostUSD of tasks meanwhile"
);
not_yet!(
    KomputerSchedule,
    Kind::Schedule,
    KomputerScheduleStatus,
    "This version of komputer does not run schedules; create KomputerTasks meanwhile"
);
