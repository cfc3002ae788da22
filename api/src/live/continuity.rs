use komputer_events::bus::Entry;
use serde::Deserialize;

/// What of a stream has been seen, so that a hole in it is noticed.
///
/// An agent counts its events from 1 without a gap, and streams are trimmed from their old end only: a page can begin
/// with a hole and never holds one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Continuity {
    last: Option<u64>,
}

#[derive(Deserialize)]
struct Counted {
    seq: u64,
}

impl Continuity {
    /// Takes note of a page that follows everything seen so far, and says whether events are missing before it.
    ///
    /// A count that does not go on from the last one is that of a new agent of the same name.
    pub fn follow(&mut self, page: &[Entry]) -> Missing {
        let Some((first, last)) = page.first().zip(page.last()) else { return Missing::Nothing };
        let (seen, first) = (self.last, seq(first));
        self.last = seq(last).or_else(|| self.last.map(|seen| seen.saturating_add(page.len() as u64)));
        match (seen, first) {
            (_, Some(1)) => Missing::Nothing,
            (None, _) | (_, None) => Missing::Unknown,
            (Some(seen), Some(first)) if first > seen + 1 => Missing::Some,
            (Some(_), Some(_)) => Missing::Nothing,
        }
    }
}

/// Whether events are missing before a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The page goes on where the last one ended, or is where its agent began.
    Nothing,
    /// The page's first event is not the next one.
    Some,
    /// Nothing was seen before.
    Unknown,
}

fn seq(entry: &Entry) -> Option<u64> {
    serde_json::from_str(&entry.json).ok().map(|Counted { seq }| seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(seqs: impl IntoIterator<Item = u64>) -> Vec<Entry> {
        let entry = |seq| Entry { id: format!("{seq}-0").parse().unwrap(), json: format!("{{\"seq\":{seq}}}") };
        seqs.into_iter().map(entry).collect()
    }

    #[test]
    fn a_hole_is_noticed_and_a_new_agent_is_none() {
        let mut seen = Continuity::default();
        assert_eq!(seen.follow(&page(4..=9)), Missing::Unknown);
        assert_eq!(seen.follow(&page([])), Missing::Nothing);
        assert_eq!(seen.follow(&page(10..=12)), Missing::Nothing);
        assert_eq!(seen.follow(&page(15..=16)), Missing::Some);
        assert_eq!(seen.follow(&page(17..=17)), Missing::Nothing);
        assert_eq!(seen.follow(&page(1..=3)), Missing::Nothing);
        assert_eq!(seen.follow(&page(5..=5)), Missing::Some);
    }
}
