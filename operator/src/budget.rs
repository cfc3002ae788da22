//! Budgets: what agents cost is counted with their events, and what they may still cost is handed out before they cost it.
//!
//! Each agent's status says what it has cost in each budget's period, with the cursor it was folded up to; a budget's
//! status has that of agents which are gone. The [`Ledger`] adds them up and says how much of the rest a task may have.
mod allowance;
mod book;
mod claim;
mod decide;
mod ledger;
mod namespace;
mod observe;
mod period;
mod shares;
mod status;
mod terms;

pub use allowance::Grant;
pub use claim::{Claim, Funds, Shortage, Work};
pub use decide::decide;
pub use ledger::{Leaving, Ledger, Standing};
pub use observe::{BudgetController, Observed};
pub use shares::{Share, Shares};
pub use terms::Meter;

#[cfg(test)]
mod tests;
