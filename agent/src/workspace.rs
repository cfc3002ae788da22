//! Where things lie on the volume that outlives the pod.
use std::{
    fs::{self, File, Permissions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::statvfs;

/// The agent's working directory, locked: two processes on one Claude session would fork its transcript.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    /// The lock is held as long as this is open.
    _lock: File,
}

/// Why the workspace cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("{0} is in use by another komputer-agent: end that one first, or give this one a workspace of its own")]
    InUse(PathBuf),
    #[error("cannot set up {path}: {source}; the workspace must be a directory this user may write to")]
    Io { path: PathBuf, source: io::Error },
}

impl Workspace {
    /// Makes what is missing and takes the lock.
    pub(crate) fn open(root: &Path) -> Result<Self, WorkspaceError> {
        let komputer = root.join(".komputer");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| WorkspaceError::Io { path, source }
        };
        for directory in [&komputer, &komputer.join("journal"), &komputer.join("tasks"), &root.join(".claude")] {
            fs::create_dir_all(directory).map_err(failed(directory))?;
        }
        fs::set_permissions(&komputer, Permissions::from_mode(0o700)).map_err(failed(&komputer))?;
        let path = komputer.join("lock");
        let lock = File::create(&path).map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(WorkspaceError::InUse(root.to_owned())),
            Err(TryLockError::Error(source)) => Err(WorkspaceError::Io { path, source }),
        }
    }

    /// Claude's working directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Claude's configuration and transcripts.
    pub(crate) fn claude(&self) -> PathBuf {
        self.root.join(".claude")
    }

    /// The event journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join(".komputer/journal")
    }

    /// What the agent knows.
    pub(crate) fn knowledge(&self) -> PathBuf {
        self.root.join(".komputer/knowledge.json")
    }

    /// What budgets let a task cost.
    pub(crate) fn allowance(&self) -> PathBuf {
        self.root.join(".komputer/allowance.json")
    }

    /// Accepted tasks.
    pub(crate) fn tasks(&self) -> PathBuf {
        self.root.join(".komputer/tasks")
    }
}

/// Less than this many bytes of free space is none: Claude Code writes its transcript in pieces about as large.
const LITTLE: u64 = 256 << 10;

/// Whether the volume that `path` is on has no room left, as far as it can be told.
pub(crate) fn is_full(path: &Path) -> bool {
    statvfs(path).is_ok_and(|volume| volume.f_bavail.saturating_mul(volume.f_frsize) < LITTLE)
}

/// Replaces `path` by a file that holds `content`; after a crash there is the old one or the new one, whole.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_on_the_same_workspace_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = Workspace::open(directory.path()).unwrap();
        assert!(matches!(Workspace::open(directory.path()), Err(WorkspaceError::InUse(_))));
        drop(first);
        Workspace::open(directory.path()).unwrap();
        let mode = fs::metadata(directory.path().join(".komputer")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
