//! Budgets: what agents cost is counted with their events, and what they may still cost is handed out before they cost it.
//!
//! Each agent's status says what it has cost in each budget's period, with the cursor it was folded up to; so does a
//! [`Statement`] in Redis, for when the agent is gone, until a budget's status has it for good. The [`Ledger`] adds them up
//! and says how much of the rest a task may have.
mod accounts;
mod allowance;
mod book;
mod claim;
mod decide;
mod departures;
mod ledger;
mod namespace;
mod observe;
mod period;
mod shares;
mod statement;
mod status;
mod terms;

pub use accounts::Accounts;
pub use allowance::Grant;
pub use claim::{Claim, Counted, Funds, Shortage, Work};
pub use decide::decide;
pub(crate) use departures::Departures;
pub use ledger::{Leaving, Ledger, Predecessor, Standing};
pub use observe::{BudgetController, Observed};
pub use shares::{Share, Shares};
pub use statement::{Statement, Statements};
pub use terms::Meter;

#[cfg(test)]
mod tests;
