//! One file of the journal: events in order, a JSON line each, named by the `seq` of the first.
use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use komputer_events::Cursor;
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};
use serde::Deserialize;

/// What the journal knows about a segment without reading it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The `seq` of its first event.
    pub(super) first: u64,
    /// Its bytes, whole lines only.
    pub(super) length: u64,
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: Cursor,
    pub(super) seq: u64,
}

/// The part of an event that the journal has to understand.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Head {
    id: Cursor,
    seq: u64,
    r#type: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    TextDelta,
    #[serde(other)]
    Other,
}

impl Head {
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub(super) fn place(self) -> Place {
        Place { id: self.id, seq: self.seq }
    }

    /// Whether losing it would lose something: a piece of an answer comes again as a whole.
    pub(super) fn matters(self) -> bool {
        self.r#type != Kind::TextDelta
    }
}

impl Segment {
    pub(super) fn beginning_with(directory: &Path, first: u64) -> Self {
        Self { path: directory.join(format!("{first:020}.jsonl")), first, length: 0 }
    }

    /// The segments in `directory`, oldest first.
    pub(super) fn list(directory: &Path) -> io::Result<Vec<Self>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let first = name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|first| first.parse().ok());
            if let Some(first) = first {
                segments.push(Self { path: entry.path(), first, length: entry.metadata()?.len() });
            }
        }
        segments.sort_by_key(|segment| segment.first);
        Ok(segments)
    }

    /// Makes the file, with room for that many bytes, and opens it for appending.
    pub(super) fn create(&self, room: u64) -> io::Result<File> {
        let file = self.append()?;
        match fallocate(&file, FallocateFlags::KEEP_SIZE, 0, room) {
            // Where a file system cannot keep room, the journal is as good as the volume's free space.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(file),
            Err(error) => {
                fs::remove_file(&self.path)?;
                Err(error.into())
            }
        }
    }

    /// Opens the file for appending.
    pub(super) fn append(&self) -> io::Result<File> {
        File::options().create(true).append(true).open(&self.path)
    }

    /// Cuts off what a crash left half written and gives the place of the last whole event.
    pub(super) fn repair(&mut self) -> io::Result<Option<Place>> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        let (mut whole, mut last, mut line) = (0, None, Vec::new());
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            let Some(head) = Head::of(&line).filter(|_| line.ends_with(b"\n")) else { break };
            whole += length as u64;
            last = Some(head.place());
        }
        if whole < self.length {
            tracing::warn!(segment = %self.path.display(), bytes = self.length - whole, "cut a torn end off the journal");
            File::options().write(true).open(&self.path)?.set_len(whole)?;
            self.length = whole;
        }
        Ok(last)
    }
}
