//! The end of the journal that is written to.
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use komputer_events::Cursor;

use super::{
    Bounds,
    segment::{Place, Segment},
};

/// Appends lines, begins new segments and removes old ones.
#[derive(Debug)]
pub(super) struct Writer {
    directory: PathBuf,
    bounds: Bounds,
    /// Never empty; the last one is written to.
    segments: Vec<Segment>,
    open: File,
    last: Place,
    is_short: bool,
}

impl Writer {
    /// Goes on where the last process stopped, repairing what a crash left behind.
    pub(super) fn open(directory: &Path, bounds: Bounds) -> io::Result<Self> {
        let mut segments = Segment::list(directory)?;
        let mut last = Place::default();
        // A crash may leave a segment that was made and not written to.
        while let Some(segment) = segments.last_mut() {
            let repaired = segment.repair()?;
            last = repaired.unwrap_or(Place { id: Cursor::START, seq: segment.first - 1 });
            if repaired.is_some() || segments.len() == 1 {
                break;
            }
            fs::remove_file(&segments.remove(segments.len() - 1).path)?;
        }
        if segments.is_empty() {
            segments.push(Segment::beginning_with(directory, last.seq + 1));
            segments[0].create(bounds.segment + bounds.reserve)?;
        }
        let open = segments[segments.len() - 1].append()?;
        Ok(Self { directory: directory.to_owned(), bounds, segments, open, last, is_short: false })
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The place of the newest event.
    pub(super) fn last(&self) -> Place {
        self.last
    }

    /// The file that is written to.
    pub(super) fn file(&self) -> &File {
        &self.open
    }

    /// Whether the volume has no room for another segment.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Appends one event's line; `acknowledged` is the `seq` up to which Redis has the events.
    pub(super) fn write(&mut self, place: Place, line: &[u8], acknowledged: u64) -> io::Result<()> {
        if self.current().length >= self.bounds.segment && !self.is_short {
            self.rotate()?;
            self.prune(acknowledged)?;
        }
        if let Err(error) = self.open.write_all(line) {
            // Half a line in the middle would hide everything after it.
            self.open.set_len(self.current().length)?;
            return Err(error);
        }
        self.last = place;
        let newest = self.segments.len() - 1;
        self.segments[newest].length += line.len() as u64;
        Ok(())
    }

    /// Goes on in a new segment, unless the volume is full.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        let segment = Segment::beginning_with(&self.directory, self.last.seq + 1);
        let open = match segment.create(self.bounds.segment + self.bounds.reserve) {
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                tracing::error!("the workspace's volume is full");
                self.is_short = true;
                return Ok(());
            }
            open => open?,
        };
        // Gives back the room it did not need.
        self.open.set_len(self.current().length)?;
        self.open.sync_data()?;
        self.open = open;
        self.segments.push(segment);
        self.is_short = false;
        File::open(&self.directory)?.sync_all()
    }

    fn current(&self) -> &Segment {
        &self.segments[self.segments.len() - 1]
    }

    fn prune(&mut self, acknowledged: u64) -> io::Result<()> {
        while self.segments.len() > 1 && self.oldest_is_superfluous(acknowledged) {
            fs::remove_file(&self.segments.remove(0).path)?;
        }
        Ok(())
    }

    fn oldest_is_superfluous(&self, acknowledged: u64) -> bool {
        let next = self.segments[1].first;
        let kept_bytes: u64 = self.segments[1..].iter().map(|segment| segment.length).sum();
        let kept_events = self.last.seq + 1 - next;
        let published = next <= acknowledged + 1;
        if !published && kept_bytes >= self.bounds.unpublished {
            tracing::error!(up_to = next - 1, "events are lost: Redis was away for longer than the journal can bridge");
            return true;
        }
        published && (kept_events >= self.bounds.events || kept_bytes >= self.bounds.published)
    }
}
