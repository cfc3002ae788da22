//! Accepted tasks, on disk: what was promised with a 202 is done whatever happens to the process.
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
    time::SystemTime,
};

use komputer_events::task::TaskRequest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{letters::Letter, tally::Tally};
use crate::workspace::write_durably;

/// The uid of a `KomputerTask`, which is also a safe name of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct TaskUid(String);

/// Not a uid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a uid: expected 1 to 64 lower-case letters, digits and '-'")]
pub(crate) struct InvalidUid(String);

impl FromStr for TaskUid {
    type Err = InvalidUid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidUid(text.chars().take(64).collect()))
        }
    }
}

impl TryFrom<String> for TaskUid {
    type Error = InvalidUid;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TaskUid> for String {
    fn from(uid: TaskUid) -> Self {
        uid.0
    }
}

impl fmt::Display for TaskUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TaskUid {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A task as it lies on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Says whether the same uid comes with the same request again.
    digest: String,
    /// What is left to do; nothing once the task has ended.
    pub(crate) work: Option<Work>,
}

/// A task that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    /// Tasks are worked on in this order.
    pub(crate) order: u64,
    pub(crate) request: TaskRequest,
    /// Whether it is to end as soon as possible.
    #[serde(default)]
    pub(crate) cancelled: bool,
    /// What its events up to some point say; later ones are folded in from the journal.
    #[serde(default)]
    pub(crate) tally: Tally,
    /// What was said in the middle of it.
    #[serde(default)]
    pub(crate) letters: Vec<Letter>,
}

impl Work {
    pub(crate) fn new(order: u64, request: TaskRequest) -> Self {
        Self { order, cancelled: false, tally: Tally::default(), request, letters: Vec::new() }
    }
}

impl Record {
    pub(crate) fn of(work: Work) -> Self {
        Self { digest: digest(&work.request), work: Some(work) }
    }

    /// Of a task that went into another one as a message, and has ended with it.
    pub(crate) fn of_message() -> Self {
        Self { digest: MESSAGE.into(), work: None }
    }

    pub(crate) fn is_of(&self, request: &TaskRequest) -> bool {
        self.digest == MESSAGE || self.digest == digest(request)
    }
}

/// What stands for the digest of a message; no digest reads so.
const MESSAGE: &str = "message";

fn digest(request: &TaskRequest) -> String {
    let json = serde_json::to_vec(request).unwrap_or_default();
    format!("{:x}", Sha256::digest(json))
}

/// Ended tasks that are remembered, so that their uid is not worked on again.
const REMEMBERED: usize = 1_000;

/// Tasks that end between two times the oldest are forgotten.
const FORGET_EVERY: usize = 100;

/// The directory of tasks.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    /// Tasks that have ended since the process began.
    ended: AtomicUsize,
}

/// A task cannot be stored or read.
#[derive(Debug, thiserror::Error)]
#[error("task file {path}: {source}")]
pub(crate) struct StoreError {
    path: PathBuf,
    source: io::Error,
}

impl Store {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, ended: AtomicUsize::new(0) }
    }

    pub(crate) fn get(&self, uid: &TaskUid) -> Result<Option<Record>, StoreError> {
        read(&self.path(uid))
    }

    /// Stores a task so that it survives the node.
    pub(crate) fn put(&self, uid: &TaskUid, record: &Record) -> Result<(), StoreError> {
        let path = self.path(uid);
        let json = serde_json::to_vec(record).map_err(io::Error::from);
        json.and_then(|json| write_durably(&path, &json)).map_err(|source| StoreError { path, source })
    }

    /// Notes that a task has ended.
    pub(crate) fn end(&self, uid: &TaskUid) -> Result<(), StoreError> {
        let Some(record) = self.get(uid)? else { return Ok(()) };
        self.put(uid, &Record { work: None, ..record })?;
        let ended = self.ended.fetch_add(1, Ordering::Relaxed);
        if ended % FORGET_EVERY == FORGET_EVERY - 1 { self.load().map(drop) } else { Ok(()) }
    }

    /// Notes what a task has used up.
    pub(crate) fn remember(&self, uid: &TaskUid, tally: &Tally) -> Result<(), StoreError> {
        let Some(mut record) = self.get(uid)? else { return Ok(()) };
        let Some(work) = &mut record.work else { return Ok(()) };
        work.tally = tally.clone();
        self.put(uid, &record)
    }

    /// Notes what was said in the middle of a task; gives whether the task has not ended.
    pub(crate) fn keep_letters(&self, uid: &TaskUid, letters: &[Letter]) -> Result<bool, StoreError> {
        let Some(mut record) = self.get(uid)? else { return Ok(false) };
        let Some(work) = &mut record.work else { return Ok(false) };
        work.letters = letters.to_vec();
        self.put(uid, &record).map(|()| true)
    }

    /// The tasks that have not ended, in order. Forgets the oldest of those that have.
    pub(crate) fn load(&self) -> Result<Vec<(TaskUid, Work)>, StoreError> {
        let (mut unfinished, mut ended) = (Vec::new(), Vec::new());
        for (uid, path) in self.files()? {
            match read(&path)?.and_then(|record| record.work) {
                Some(work) => unfinished.push((uid, work)),
                None => ended.push(path),
            }
        }
        unfinished.sort_by_key(|(_, work)| work.order);
        forget_oldest(ended);
        Ok(unfinished)
    }

    fn files(&self) -> Result<Vec<(TaskUid, PathBuf)>, StoreError> {
        let failed = |source| StoreError { path: self.directory.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let uid = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")?.parse().ok());
            files.extend(uid.map(|uid| (uid, path)));
        }
        Ok(files)
    }

    fn path(&self, uid: &TaskUid) -> PathBuf {
        self.directory.join(format!("{uid}.json"))
    }
}

/// A damaged file counts as none: whoever sent the task sends it again.
fn read(path: &Path) -> Result<Option<Record>, StoreError> {
    match fs::read(path) {
        Ok(json) => Ok(serde_json::from_slice(&json)
            .inspect_err(|error| tracing::error!(path = %path.display(), %error, "a task's file is damaged"))
            .ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError { path: path.to_owned(), source }),
    }
}

/// What cannot be removed now is removed at the next start.
fn forget_oldest(mut ended: Vec<PathBuf>) {
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified());
    ended.sort_by_key(|path| modified(path).unwrap_or(SystemTime::UNIX_EPOCH));
    let superfluous = ended.len().saturating_sub(REMEMBERED);
    for path in &ended[..superfluous] {
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "an old task is remembered for longer than needed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(instructions: &str) -> TaskRequest {
        let text = String::from;
        let (name, model) = (text("t"), text("m"));
        let instructions = instructions.into();
        TaskRequest {
            name,
            instructions,
            model,
            system_prompt: None,
            max_cost_usd: None,
            max_turns: None,
            deadline_ms: None,
            retries: 0,
            compact: false,
        }
    }

    fn uid(text: &str) -> TaskUid {
        text.parse().unwrap()
    }

    #[test]
    fn unfinished_tasks_come_back_in_the_order_they_were_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().to_owned());
        for (name, order) in [("b", 1), ("c", 3), ("a", 2)] {
            store.put(&uid(name), &Record::of(Work::new(order, request(name)))).unwrap();
        }
        let mut ended = store.get(&uid("a")).unwrap().unwrap();
        ended.work = None;
        store.put(&uid("a"), &ended).unwrap();
        fs::write(directory.path().join("d.partial"), "{").unwrap();
        fs::write(directory.path().join("e.json"), "{").unwrap();
        let loaded: Vec<_> =
            store.load().unwrap().into_iter().map(|(uid, work)| (uid.0, work.request.instructions)).collect();
        assert_eq!(loaded, [("b".to_owned(), "b".to_owned()), ("c".to_owned(), "c".to_owned())]);
    }

    #[test]
    fn an_ended_task_still_knows_its_request() {
        let record = Record { work: None, ..Record::of(Work::new(1, request("x"))) };
        let json = serde_json::to_vec(&record).unwrap();
        let record: Record = serde_json::from_slice(&json).unwrap();
        assert!(record.is_of(&request("x")));
        assert!(!record.is_of(&request("y")));
    }

    #[test]
    fn ended_tasks_are_forgotten_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().to_owned());
        let json = serde_json::to_vec(&Record { work: None, ..Record::of(Work::new(1, request("x"))) }).unwrap();
        for number in 0..REMEMBERED + 5 {
            fs::write(directory.path().join(format!("{number}.json")), &json).unwrap();
        }
        store.load().unwrap();
        assert_eq!(store.files().unwrap().len(), REMEMBERED);
    }

    #[test]
    fn a_uid_is_a_safe_name_of_a_file() {
        for wrong in ["", ".", "..", "a/b", "A", "a.json", "ä", &"a".repeat(65)] {
            assert_eq!(wrong.parse::<TaskUid>(), Err(InvalidUid(wrong.chars().take(64).collect())));
        }
        uid("9b2f1c1e-6f7e-4b6d-9a55-0a4d8c1f2e3b");
    }
}
