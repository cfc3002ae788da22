//! What time it is.
use jiff::Timestamp;

/// Now, by this machine's clock.
#[cfg(not(test))]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
thread_local! {
    /// What time it is in a simulation that runs on this thread.
    static SIMULATED: std::cell::Cell<Option<Timestamp>> = const { std::cell::Cell::new(None) };
}

/// Now, by this machine's clock or by a simulation's.
#[cfg(test)]
pub(crate) fn now() -> Timestamp {
    SIMULATED.get().unwrap_or_else(Timestamp::now)
}

/// From now on it is that time, for this thread.
#[cfg(test)]
pub(crate) fn set(now: Timestamp) {
    SIMULATED.set(Some(now));
}
