//! When certificates are made anew, as a pure function of what is there.
//!
//! A new authority is trusted everywhere before anything is signed by it, and an old one until nothing signed by it is
//! used any more, so that no call of the apiserver fails:
//!
//! | state | authority | previous | leaf signed by | leaves it when |
//! |---|---|---|---|---|
//! | steady | A | | A | A is near its end: make B, trust A and B |
//! | overlap | B | A | A | both have been trusted everywhere for a minute: sign a leaf by B |
//! | switched | B | A | B | an hour later: trust B alone |
//! | steady | B | | B | |
//!
//! A leaf near its end is signed again by the same authority, in any state.
use std::time::Duration;

use jiff::Timestamp;

/// How long certificates live and how long each step waits.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Of an authority. It is followed by another when a quarter is left.
    pub authority: Duration,
    /// Of a leaf. It is signed again when a third is left.
    pub leaf: Duration,
    /// How long both authorities are trusted everywhere before a leaf of the new one is served.
    pub settle: Duration,
    /// How long a leaf of the new authority is served before the old one is no longer trusted.
    pub retire: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        let (settle, retire) = (Duration::from_mins(1), Duration::from_hours(1));
        Self { authority: days(365), leaf: days(30), settle, retire }
    }
}

/// When a certificate was made and until when it is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// When it was made.
    pub issued: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

impl Period {
    fn left(self, now: Timestamp) -> Duration {
        Duration::try_from(self.until.duration_since(now)).unwrap_or_default()
    }

    fn age(self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.issued)).unwrap_or_default()
    }
}

/// Who signed the leaf, for all the names that it has to have, and is still believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The authority that signs now.
    Current,
    /// The one before it.
    Previous,
    /// Neither, or not for these names, or too long ago.
    Nobody,
}

/// The certificates there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The authority that signs now.
    pub authority: Period,
    /// Whether the one before it is still trusted.
    pub has_previous: bool,
    /// The leaf being served.
    pub leaf: Period,
    /// Who signed it.
    pub signer: Signer,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// Make everything.
    Create,
    /// Make a new authority and trust both, serving the same leaf.
    Overlap,
    /// Sign a leaf by the authority that signs now.
    Sign,
    /// No longer trust the authority before.
    Retire,
}

/// What is to be done at `now`, where the trust in these certificates has been seen everywhere for `trusted_for`.
pub fn next(state: Option<&State>, trusted_for: Option<Duration>, now: Timestamp, lifetimes: &Lifetimes) -> Step {
    let Some(state) = state else { return Step::Create };
    if state.authority.left(now).is_zero() {
        return Step::Create;
    }
    let settled = trusted_for.is_some_and(|duration| duration >= lifetimes.settle);
    match state.signer {
        Signer::Nobody => Step::Sign,
        // Better a short time of distrust than a leaf that has ended.
        Signer::Previous if settled || state.leaf.left(now) < lifetimes.leaf / 10 => Step::Sign,
        Signer::Current if state.has_previous && state.leaf.age(now) >= lifetimes.retire => Step::Retire,
        Signer::Current if state.leaf.left(now) < lifetimes.leaf / 3 => Step::Sign,
        Signer::Current if !state.has_previous && state.authority.left(now) < lifetimes.authority / 4 => Step::Overlap,
        Signer::Previous | Signer::Current => Step::Keep,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DAY: i64 = 24 * 3600;

    fn period(issued_days_ago: i64, days_left: i64) -> Period {
        let now = now();
        let at = |days: i64| now.checked_add(jiff::SignedDuration::from_secs(days * DAY)).unwrap();
        Period { issued: at(-issued_days_ago), until: at(days_left) }
    }

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn state(authority_days_left: i64, has_previous: bool, leaf: Period, signer: Signer) -> State {
        State { authority: period(365 - authority_days_left, authority_days_left), has_previous, leaf, signer }
    }

    #[rstest]
    #[case::nothing_there(None, None, Step::Create)]
    #[case::steady(Some(state(300, false, period(1, 29), Signer::Current)), None, Step::Keep)]
    #[case::leaf_near_its_end(Some(state(300, false, period(21, 9), Signer::Current)), None, Step::Sign)]
    #[case::leaf_of_nobody(Some(state(300, false, period(1, 29), Signer::Nobody)), None, Step::Sign)]
    #[case::authority_near_its_end(Some(state(90, false, period(1, 29), Signer::Current)), None, Step::Overlap)]
    #[case::authority_has_ended(Some(state(0, true, period(1, 29), Signer::Nobody)), None, Step::Create)]
    #[case::not_trusted_everywhere(Some(state(365, true, period(1, 29), Signer::Previous)), None, Step::Keep)]
    #[case::trusted_too_shortly(Some(state(365, true, period(1, 29), Signer::Previous)), Some(59), Step::Keep)]
    #[case::trusted_long_enough(Some(state(365, true, period(1, 29), Signer::Previous)), Some(60), Step::Sign)]
    #[case::no_time_to_wait(Some(state(365, true, period(28, 2), Signer::Previous)), None, Step::Sign)]
    #[case::switched_just_now(Some(state(365, true, period(0, 30), Signer::Current)), Some(600), Step::Keep)]
    #[case::switched_long_ago(Some(state(365, true, period(1, 29), Signer::Current)), None, Step::Retire)]
    #[case::previous_outlives_a_new_end(Some(state(90, true, period(0, 30), Signer::Current)), None, Step::Keep)]
    fn each_state_has_one_step(
        #[case] state: Option<State>,
        #[case] trusted_seconds: Option<u64>,
        #[case] expected: Step,
    ) {
        let trusted_for = trusted_seconds.map(Duration::from_secs);
        assert_eq!(next(state.as_ref(), trusted_for, now(), &Lifetimes::default()), expected);
    }
}
