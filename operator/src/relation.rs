//! What belongs to what, both ways: a store has no index of its own.
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

/// Which right sides each left side has, and the other way round.
pub(crate) struct Relation<L, R> {
    /// In order. Of thousands most have one, for which a set takes ten times the room.
    of: HashMap<L, Box<[R]>>,
    to: HashMap<R, BTreeSet<L>>,
}

impl<L, R> Default for Relation<L, R> {
    fn default() -> Self {
        Self { of: HashMap::new(), to: HashMap::new() }
    }
}

impl<L: Clone + Eq + Ord + Hash, R: Clone + Eq + Ord + Hash> Relation<L, R> {
    /// `left` has these and no others from now on; answers which it has no more or only now.
    pub(crate) fn update(&mut self, left: &L, has: BTreeSet<R>) -> Vec<R> {
        let kept: Box<[R]> = has.iter().cloned().collect();
        let before = if has.is_empty() { self.of.remove(left) } else { self.of.insert(left.clone(), kept) };
        let before: BTreeSet<R> = before.unwrap_or_default().into_iter().collect();
        for ceased in before.difference(&has) {
            if let Some(lefts) = self.to.get_mut(ceased) {
                lefts.remove(left);
                if lefts.is_empty() {
                    self.to.remove(ceased);
                }
            }
        }
        for begun in has.difference(&before) {
            self.to.entry(begun.clone()).or_default().insert(left.clone());
        }
        before.symmetric_difference(&has).cloned().collect()
    }

    /// What `left` has.
    pub(crate) fn of(&self, left: &L) -> impl Iterator<Item = &R> {
        self.of.get(left).into_iter().flatten()
    }

    /// Every right side, with what has it.
    pub(crate) fn rights(&self) -> impl Iterator<Item = (&R, &BTreeSet<L>)> {
        self.to.iter()
    }

    /// What has `right`.
    pub(crate) fn to(&self, right: &R) -> BTreeSet<L> {
        self.to.get(right).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_know_and_what_changed_is_told() {
        let mut relation = Relation::default();
        assert_eq!(relation.update(&"a", [1, 2].into()), [1, 2]);
        assert_eq!(relation.update(&"b", [2].into()), [2]);
        assert_eq!(relation.to(&2), BTreeSet::from(["a", "b"]));
        assert_eq!(relation.update(&"a", [1, 3].into()), [2, 3]);
        assert_eq!((relation.of(&"a").collect(), relation.to(&2)), (vec![&1, &3], ["b"].into()));
        assert_eq!(relation.update(&"b", [].into()), [2]);
        assert!(relation.to.len() == 2 && relation.of.len() == 1, "nothing is kept of what is gone");
    }
}
