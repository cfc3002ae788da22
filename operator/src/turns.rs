//! Writes that can wait take turns: a thousand that become due at once leave room for those that others wait for.
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

/// Between two turns: 100 a second, of the several hundred writes a second that an apiserver takes.
const GAP: Duration = Duration::from_millis(10);
/// So long after the last write that others wait for, nobody waits.
const CALM: Duration = Duration::from_millis(100);
/// One that has waited so long gives its turn up to nobody any more.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who has its turn when.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Given>);

#[derive(Default)]
struct Given {
    last: Timestamp,
    /// The last write that others wait for.
    pressing: Timestamp,
}

/// The turn of one that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    at: Timestamp,
    since: Timestamp,
}

impl Turns {
    /// Something was written that others wait for.
    pub(crate) fn press(&self, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pressing = now;
    }

    /// How much longer one waits for its turn; what it was given is kept in `turn` until it has come.
    pub(crate) fn left(&self, turn: &mut Option<Turn>, now: Timestamp) -> Option<Duration> {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = turn.get_or_insert_with(|| Turn { at: given.next(now), since: now });
        let has_patience = now.duration_since(own.since).unsigned_abs() < PATIENCE;
        if own.at <= now && has_patience && now.duration_since(given.pressing).unsigned_abs() < CALM {
            own.at = given.next(now + CALM);
        }
        let left = Duration::try_from(own.at.duration_since(now)).ok().filter(|left| !left.is_zero());
        if left.is_none() {
            *turn = None;
        }
        left
    }
}

impl Given {
    /// A turn of its own, at the earliest at `earliest`.
    fn next(&mut self, earliest: Timestamp) -> Timestamp {
        self.last = self.last.checked_add(GAP).map_or(earliest, |next| next.max(earliest));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_that_are_due_at_once_each_has_a_turn_of_its_own_and_loses_it_to_nobody() {
        let turns = Turns::default();
        let mut now = Timestamp::from_second(100).unwrap();
        let mut waiting = vec![None; 1_000];
        assert_eq!(turns.left(&mut waiting[0], now), None, "nobody is before it");
        for (before, turn) in waiting.iter_mut().enumerate().skip(1) {
            assert_eq!(turns.left(turn, now), Some(GAP * u32::try_from(before).unwrap()));
        }
        now = now.checked_add(GAP * 500).unwrap();
        let done = waiting.iter_mut().skip(1).filter_map(|turn| turns.left(turn, now).is_none().then_some(())).count();
        assert_eq!(done, 500);
        assert_eq!(turns.left(&mut waiting[501], now), Some(GAP), "looked at again, it has the turn that it had");
        now = now.checked_add(GAP * 2_000).unwrap();
        assert_eq!(turns.left(&mut None, now), None);
    }

    #[test]
    fn what_others_wait_for_comes_first_but_not_for_ever() {
        let turns = Turns::default();
        let begun = Timestamp::from_second(100).unwrap();
        let (mut first, mut second) = (None, None);
        turns.press(begun);
        assert_eq!(turns.left(&mut first, begun), Some(CALM));
        assert_eq!(turns.left(&mut second, begun), Some(CALM + GAP), "and still one after another");
        assert_eq!(turns.left(&mut first, begun + CALM), None, "nothing has come in between");

        let mut now = begun;
        while let Some(left) = turns.left(&mut second, now) {
            assert!(!left.is_zero() && now < begun + PATIENCE, "{now}");
            now += left;
            turns.press(now);
        }
        assert!(now >= begun + PATIENCE, "{now}");
    }
}
