//! The agents and budgets of one namespace. Pure: what is to be woken is told to the [`super::Ledger`].
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use komputer_crds::v1beta1::KomputerAgent;
use komputer_events::Money;
use kube::ResourceExt;

use super::{
    allowance::{Grant, headroom},
    book::{Book, Entry, Known},
    claim::{Claim, Counted, Funds, Shortage, Work},
    shares::Shares,
    statement::Statement,
    terms::{Meter, Terms},
};

/// Agents and budgets by their names.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    pub(super) agents: BTreeMap<String, Known>,
    pub(super) books: BTreeMap<String, Book>,
    /// Agents that are gone, and that budgets have not counted for good, by their uids.
    pub(super) gone: BTreeMap<String, Gone>,
}

/// An agent that is gone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gone {
    /// How it stands with its budgets.
    pub(super) statement: Statement,
    /// Whether that has all that it said.
    pub(super) is_settled: bool,
}

impl Namespace {
    /// Takes an agent's object into account, or that it is gone, and its statement where it has one. Who leads knows agents
    /// better than their statuses. Answers the uid of the one that is gone.
    pub(super) fn agent_changed(
        &mut self,
        name: &str,
        known: Option<Known>,
        leads: bool,
        statement: impl FnOnce(&str) -> Option<Statement>,
    ) -> Option<String> {
        let before = match &known {
            Some(known) => self.agents.insert(name.into(), known.clone()),
            None => self.agents.remove(name),
        };
        let gone = before.filter(|before| known.as_ref().is_none_or(|known| known.uid != before.uid));
        if let Some(gone) = &gone {
            match statement(&gone.uid) {
                Some(statement) => self.leave(statement),
                None => self.forget(&gone.uid),
            }
        }
        if let Some(known) = &known {
            self.gone.remove(&known.uid); // it was taken for gone where the cache did not show it yet
            self.books.values_mut().for_each(|book| book.seed(name, known, !leads));
        }
        gone.map(|gone| gone.uid)
    }

    /// Goes on counting an agent that is gone; what is known of it is at least what its statement says.
    pub(super) fn leave(&mut self, statement: Statement) {
        for book in self.books.values_mut().filter(|book| !book.entries.contains_key(&statement.uid)) {
            book.keep(&statement, false);
        }
        self.gone.insert(statement.uid.clone(), Gone { statement, is_settled: false });
    }

    /// All that an agent said that is gone has been read, and came to this.
    pub(super) fn settle(&mut self, uid: &str, shares: Shares) {
        let Some(gone) = self.gone.get_mut(uid) else { return };
        gone.statement = Statement { shares, reserved: Money::ZERO, ..gone.statement.clone() };
        gone.is_settled = true;
        self.books.values_mut().for_each(|book| book.keep(&gone.statement, true));
    }

    /// Whether budgets have for good what an agent has cost.
    pub(super) fn is_counted_for_good(&self, uid: &str) -> bool {
        let has = |book: &Book| !book.entries.contains_key(uid) || book.terms.departed.agents.contains(uid);
        self.books.values().all(has)
    }

    /// Knows an agent no more.
    pub(super) fn forget(&mut self, uid: &str) {
        self.gone.remove(uid);
        self.books.values_mut().for_each(|book| drop(book.entries.remove(uid)));
    }

    /// Whether the agent is there.
    pub(super) fn has_agent(&self, name: &str, uid: &str) -> bool {
        self.agents.get(name).is_some_and(|known| known.uid == uid)
    }

    /// Whether another agent of that name is gone and not forgotten yet.
    pub(super) fn has_predecessor(&self, name: &str, uid: &str) -> bool {
        self.gone.values().any(|gone| gone.statement.agent.name() == name && gone.statement.uid != uid)
    }

    /// Takes a budget into account, or that it is gone. Answers whether that is anything to agents: what its status says of
    /// spending is not.
    pub(super) fn budget_changed(&mut self, name: &str, terms: Option<Terms>) -> bool {
        let before = self.books.remove(name);
        let stands = |terms: &Terms| (terms.meter.uid.clone(), terms.generation, terms.departed.agents.clone());
        let concerns_agents = before.as_ref().map(|book| stands(&book.terms)) != terms.as_ref().map(stands);
        if let Some(terms) = terms {
            let mut book = Book::new(terms);
            if let Some(before) = before.filter(|before| before.terms.meter.uid == book.terms.meter.uid) {
                book.entries = before.entries;
            } else {
                self.agents.iter().for_each(|(name, known)| book.seed(name, known, true));
                self.gone.values().for_each(|gone| book.keep(&gone.statement, gone.is_settled));
            }
            self.books.insert(name.into(), book);
        }
        concerns_agents
    }

    /// The budgets that count what an agent costs.
    pub(super) fn meters(&self, agent: &KomputerAgent) -> Vec<Meter> {
        self.selecting(agent).map(|book| book.terms.meter.clone()).collect()
    }

    fn selecting(&self, agent: &KomputerAgent) -> impl Iterator<Item = &Book> {
        self.books.values().filter(|book| book.terms.selects(agent.labels()))
    }

    /// Those of the budgets that are there still.
    pub(super) fn meters_of(&self, budgets: &BTreeSet<String>) -> Vec<Meter> {
        let meters = self.books.values().map(|book| &book.terms.meter);
        meters.filter(|meter| budgets.contains(&meter.uid)).cloned().collect()
    }

    pub(super) fn has_budget(&self, uid: &str) -> bool {
        self.books.values().any(|book| book.terms.meter.uid == uid)
    }

    /// Takes into account how an agent stands, and gives its task what it may have. Answers too whether others may have
    /// more than before.
    pub(super) fn ask(&mut self, claim: Claim<'_>) -> (Funds, bool) {
        let uid = claim.agent.uid().unwrap_or_default();
        let before = self.taken(&uid);
        self.enter(&uid, claim);
        let (grant, shortage) = match claim.work {
            Some(work) => self.grant(&uid, claim, work),
            None => (None, None),
        };
        let budgets: BTreeSet<_> = self.selecting(claim.agent).map(|book| book.terms.meter.uid.clone()).collect();
        let has_cost = self.books.values().any(|book| claim.shares().of(&book.terms.meter.uid).is_some());
        let reserved = self.reserve(&uid, claim, grant.as_ref(), shortage.is_some());
        let counted = (has_cost || !budgets.is_empty()).then_some(Counted { budgets, reserved });
        let is_less = self.taken(&uid).iter().any(|(budget, taken)| before.get(budget).is_some_and(|was| taken < was));
        (Funds { counted, grant, shortage, is_reading: false }, is_less)
    }

    /// Makes entries for an agent, with what its events come to.
    fn enter(&mut self, uid: &str, claim: Claim<'_>) {
        for book in self.books.values_mut() {
            let share = claim.shares().of(&book.terms.meter.uid);
            if share.is_none() && !book.terms.selects(claim.agent.labels()) {
                book.entries.remove(uid);
                continue;
            }
            let entry = book.entries.entry(uid.into()).or_insert_with(Entry::default);
            entry.name = claim.agent.name_any();
            entry.share = share.unwrap_or_default();
        }
    }

    fn grant(&self, uid: &str, claim: Claim<'_>, work: &Work) -> (Option<Grant>, Option<Shortage>) {
        let limiting = || self.selecting(claim.agent).filter(|book| book.terms.stops);
        let rooms: Vec<_> = limiting().map(|book| book.room(uid, claim.now)).collect();
        let tightest = limiting().zip(&rooms).min_by_key(|(_, room)| room.free);
        let Some((tightest, _)) = tightest else { return (None, None) };
        let left = work.left();
        let more = if work.goes_on { headroom(work.cost, left, rooms.iter().copied()) } else { left };
        // One that is used up stays as it was told: nothing is gained by telling it anew with each cost.
        let used_up = || work.recorded_up_to().map_or(work.cost, |recorded| recorded.min(work.cost));
        let up_to = if more == Money::ZERO { used_up() } else { work.cost + more };
        // Which is the tightest changes with each cost and period of others: that alone is nothing to write.
        let is_as_recorded =
            |recorded: &&Grant| recorded.up_to == up_to && limiting().any(|book| book.terms.name == recorded.budget);
        let recorded = work.recorded.as_ref().filter(is_as_recorded);
        let grant = recorded.cloned().unwrap_or_else(|| Grant { up_to, budget: tightest.terms.name.clone() });
        let empty = limiting().zip(&rooms).filter(|(_, room)| room.free == Money::ZERO);
        let last = empty
            .map(|(book, _)| book.shortage(claim.now))
            .max_by_key(|shortage| (shortage.until.is_none(), shortage.until));
        (Some(grant), last.filter(|_| more == Money::ZERO))
    }

    /// Sets aside what was given: what is being taken back too, until the agent was told.
    fn reserve(&mut self, uid: &str, claim: Claim<'_>, grant: Option<&Grant>, waits: bool) -> Money {
        let work = claim.work;
        let granted = grant.zip(work).map(|(grant, work)| grant.up_to.saturating_sub(work.cost));
        let recorded = work.map(Work::left).unwrap_or_default();
        let reserved = granted.unwrap_or_default().max(recorded);
        for book in self.books.values_mut() {
            let selects = book.terms.selects(claim.agent.labels());
            if let Some(entry) = book.entries.get_mut(uid) {
                entry.reserved = if selects { reserved } else { Money::ZERO };
                entry.waits = waits && selects;
            }
        }
        reserved
    }

    /// What of each budget an agent has taken or may take.
    fn taken(&self, uid: &str) -> BTreeMap<String, Money> {
        let taken = self.books.iter().filter_map(|(name, book)| {
            let entry = book.entries.get(uid)?;
            Some((name.clone(), entry.share.cost + entry.reserved))
        });
        taken.collect()
    }

    /// Agents that wait for what may be free now.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.books.values().flat_map(Book::waiting)
    }

    pub(super) fn standing(&self, budget: &str, now: Timestamp) -> Option<super::Standing> {
        let book = self.books.get(budget)?;
        let start = book.terms.span(now).start;
        let leaving =
            book.entries.iter().filter(|(uid, entry)| entry.is_settled && !book.terms.departed.agents.contains(*uid));
        let leaving = leaving.map(|(uid, entry)| super::Leaving { uid: uid.clone(), cost: entry.share.since(start) });
        let mut leaving: Vec<_> = leaving.collect();
        leaving.sort_by(|one, other| one.uid.cmp(&other.uid));
        Some(super::Standing {
            spent: book.spent(now),
            reserved: book.reserved(),
            selected: self.agents.values().filter(|known| book.terms.selects(&known.labels)).count(),
            leaving,
            known: self.agents.values().map(|known| &known.uid).chain(self.gone.keys()).cloned().collect(),
        })
    }
}
