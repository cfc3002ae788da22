//! Writes that can wait take turns: a thousand that become due at once leave room for those that others wait for.
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

/// Between two turns: 100 a second, of the several hundred writes a second that an apiserver takes.
const GAP: Duration = Duration::from_millis(10);

/// The turn that was given last.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Timestamp>);

impl Turns {
    /// How much longer one waits for its turn; what it was given is kept in `turn` until it has come.
    pub(crate) fn left(&self, turn: &mut Option<Timestamp>, now: Timestamp) -> Option<Duration> {
        let given = *turn.get_or_insert_with(|| self.give(now));
        let left = Duration::try_from(given.duration_since(now)).ok().filter(|left| !left.is_zero());
        if left.is_none() {
            *turn = None;
        }
        left
    }

    fn give(&self, now: Timestamp) -> Timestamp {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.checked_add(GAP).map_or(now, |next| next.max(now));
        *last
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
}
