//! How much of what is left a task may have. Pure arithmetic.
use komputer_events::Money;

/// What a task may have cost before it calls the model again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// From the task's beginning on.
    pub up_to: Money,
    /// The budget that allows the least.
    pub budget: String,
}

/// What a budget can give to one task: neither spent nor given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) limit: Money,
    pub(super) free: Money,
}

/// Of what is free a task gets this part at a time, so that others find some too.
const PART: u64 = 8;
/// And at least this part of the limit, so that the last of it is not given in ever smaller pieces.
const LEAST: u64 = 100;

impl Room {
    fn portion(self) -> Money {
        let portion = (self.free.nano() / PART).max(self.limit.nano() / LEAST).max(1);
        Money::from_nano(portion.min(self.free.nano()))
    }
}

/// How much more a task may cost that has cost `cost`, where it may cost `left` more now. More is given once it has spent
/// and less than half a portion is left; something is taken back only where budgets have become smaller than what they
/// gave.
pub(super) fn headroom(cost: Money, left: Money, rooms: impl Iterator<Item = Room> + Clone) -> Money {
    let most = rooms.clone().map(|room| room.free).min().unwrap_or_default();
    let portion = rooms.map(Room::portion).min().unwrap_or_default();
    if left > most {
        most
    } else if left == Money::ZERO || cost > Money::ZERO && left.nano() < portion.nano().div_ceil(2) {
        portion
    } else {
        left
    }
}
