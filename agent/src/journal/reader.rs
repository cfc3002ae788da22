//! Reading the journal back, a bounded piece at a time.
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom},
};

use komputer_events::{Cursor, Event, bus::Entry};

use super::{
    Journal, JournalError,
    segment::{Head, Segment},
};

/// Between two events of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The segment, by the `seq` of its first event.
    segment: u64,
    offset: u64,
    /// The `seq` of the event before.
    pub(crate) seq: u64,
    /// The id of the event before, where there is one.
    pub(crate) id: Option<Cursor>,
}

/// Some events in order.
#[derive(Debug)]
pub(crate) struct Batch {
    /// As they are published.
    pub(crate) entries: Vec<Entry>,
    /// After the last of them.
    pub(crate) end: Position,
    /// Whether one of them is more than a piece of an answer.
    pub(crate) matters: bool,
}

impl Journal {
    /// Before the oldest event that is kept.
    pub(crate) fn beginning(&self) -> Position {
        let segment = self.writer().segments()[0].first;
        Position { segment, offset: 0, seq: segment - 1, id: None }
    }

    /// After the event with that id, or nothing where the journal does not hold it.
    pub(crate) fn after(&self, id: Cursor) -> Result<Option<Position>, JournalError> {
        let segments = self.writer().segments().to_vec();
        for segment in segments.iter().rev() {
            let beginning = Position { segment: segment.first, offset: 0, seq: segment.first - 1, id: None };
            let first = self.read(beginning, 1, SCAN)?;
            if first.entries.first().is_some_and(|first| first.id <= id) {
                return self.find(first.end, id);
            }
        }
        Ok(None)
    }

    /// Goes on from `position` until after the event with that id.
    fn find(&self, mut position: Position, id: Cursor) -> Result<Option<Position>, JournalError> {
        while position.id.is_none_or(|before| before < id) {
            let batch = self.read(position, usize::MAX, SCAN)?;
            if batch.end == position {
                return Ok(None);
            }
            let found = batch.entries.iter().position(|entry| entry.id >= id);
            position = match found {
                Some(found) => self.read(position, found + 1, SCAN)?.end,
                None => batch.end,
            };
        }
        Ok(Some(position).filter(|position| position.id == Some(id)))
    }

    /// The events after `position`: at most `count`, and no more once they are `bytes` together.
    pub(crate) fn read(&self, position: Position, count: usize, bytes: usize) -> Result<Batch, JournalError> {
        let segments = self.writer().segments().to_vec();
        let mut batch = Batch { entries: Vec::new(), end: position, matters: false };
        let mut room = bytes;
        for segment in segments.iter().filter(|segment| segment.first >= position.segment) {
            batch.read_segment(segment, count, &mut room).map_err(|source| self.failed(source))?;
            if batch.entries.len() >= count || room == 0 {
                break;
            }
        }
        Ok(batch)
    }

    /// Every event that is kept, oldest first.
    pub(crate) fn replay(&self, mut visit: impl FnMut(Event)) -> Result<(), JournalError> {
        let mut position = self.beginning();
        loop {
            let batch = self.read(position, usize::MAX, SCAN)?;
            if batch.end == position {
                return Ok(());
            }
            position = batch.end;
            for entry in batch.entries {
                visit(Event::from_json(entry.json.as_bytes())?);
            }
        }
    }
}

/// Bytes read at once where all of the journal is looked at.
const SCAN: usize = 256 * 1024;

impl Batch {
    fn read_segment(&mut self, segment: &Segment, count: usize, room: &mut usize) -> io::Result<()> {
        let offset = if segment.first == self.end.segment { self.end.offset } else { 0 };
        (self.end.segment, self.end.offset) = (segment.first, offset);
        if offset >= segment.length {
            return Ok(());
        }
        let mut reader = BufReader::new(File::open(&segment.path)?);
        reader.seek(SeekFrom::Start(offset))?;
        let mut line = String::new();
        while self.entries.len() < count && *room > 0 && self.end.offset < segment.length {
            line.clear();
            let length = reader.read_line(&mut line)?;
            self.end.offset += length as u64;
            *room = room.saturating_sub(length);
            let json = line.trim_end_matches('\n');
            let Some(head) = Head::of(json.as_bytes()) else {
                tracing::error!(segment = %segment.path.display(), after = self.end.seq, "passed over a damaged event");
                continue;
            };
            let place = head.place();
            self.matters |= head.matters();
            self.entries.push(Entry { id: place.id, json: json.to_owned() });
            (self.end.seq, self.end.id) = (place.seq, Some(place.id));
        }
        Ok(())
    }
}
