//! Pieces of the answer come a word at a time; readers get fewer and larger ones.
use std::time::Duration;

use tokio::time::Instant;

/// Bytes that are worth an event of their own.
const ENOUGH: usize = 1024;
/// How long a piece may wait for the next.
const PATIENCE: Duration = Duration::from_millis(50);

/// Pieces that wait to be published.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    text: String,
    due: Option<Instant>,
}

impl Deltas {
    /// Adds a piece, and gives what is to be published now.
    pub(super) fn push(&mut self, piece: &str, now: Instant) -> Option<String> {
        self.text.push_str(piece);
        if self.text.len() >= ENOUGH {
            return self.take();
        }
        self.due.get_or_insert(now + PATIENCE);
        None
    }

    /// When what waits is to be published.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What waits, if anything does.
    pub(super) fn take(&mut self) -> Option<String> {
        self.due = None;
        Some(std::mem::take(&mut self.text)).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_lost_and_nothing_waits_for_long() {
        let (mut deltas, now) = (Deltas::default(), Instant::now());
        assert_eq!(deltas.due(), None);
        assert_eq!(deltas.push("one ", now), None);
        assert_eq!(deltas.push("two", now + PATIENCE), None);
        assert_eq!(deltas.due(), Some(now + PATIENCE));
        assert_eq!(deltas.take().as_deref(), Some("one two"));
        assert_eq!((deltas.take(), deltas.due()), (None, None));
        assert_eq!(deltas.push(&"x".repeat(ENOUGH), now).map(|text| text.len()), Some(ENOUGH));
        assert_eq!(deltas.due(), None);
    }
}
