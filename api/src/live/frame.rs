use komputer_events::{Cursor, bus::Entry};
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Bytes of the largest event that is passed on; no agent that keeps to its own limits writes one as large.
const LARGEST: usize = 512 * 1024;

/// What one text frame of a socket says. Cheap to clone: all sockets share the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where a client that has it goes on.
    pub cursor: Cursor,
    /// The event's JSON as it lies in the stream, or a notice.
    pub text: Utf8Bytes,
}

impl Frame {
    /// An event, unchanged; one beyond all limits is replaced by a notice of its absence.
    pub fn event(entry: Entry) -> Self {
        let Entry { id, json } = entry;
        if json.len() > LARGEST {
            let payload = json!({ "event": id, "bytes": json.len(), "limit": LARGEST });
            return Self::notice("oversized", id, &payload);
        }
        Self { cursor: id, text: json.into() }
    }

    /// Says that events between `after` and `next` are gone.
    pub fn gap(after: Cursor, next: Cursor) -> Self {
        Self::notice("gap", after, &json!({ "after": after, "next": next }))
    }

    fn notice(kind: &str, cursor: Cursor, payload: &serde_json::Value) -> Self {
        Self { cursor, text: json!({ "type": kind, "payload": payload }).to_string().into() }
    }

    /// Bytes it takes in a queue.
    pub fn size(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_passed_on_as_it_is() {
        let id = "7-1".parse().unwrap();
        let json = "{ \"id\":\"7-1\",\t\"ä\":1}".to_owned();
        assert_eq!(Frame::event(Entry { id, json: json.clone() }), Frame { cursor: id, text: json.into() });
    }

    #[test]
    fn what_is_not_passed_on_is_told() {
        let [after, next] = ["7-1", "9-0"].map(|id| id.parse().unwrap());
        let gap = Frame::gap(after, next);
        assert_eq!(gap.text.as_str(), r#"{"payload":{"after":"7-1","next":"9-0"},"type":"gap"}"#);
        assert_eq!(gap.cursor, after);
        let oversized = Frame::event(Entry { id: next, json: "x".repeat(LARGEST + 1) });
        assert!(oversized.text.as_str().contains("\"oversized\"") && oversized.text.len() < 200);
        assert_eq!(oversized.cursor, next);
    }
}
