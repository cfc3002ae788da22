//! Processes below this one. As PID 1 it inherits every orphan of the pod; elsewhere it asks the kernel for its own.
use std::{
    collections::HashMap,
    fs, io,
    process::{Child, Command},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// How a process ended, in a shell's terms: its exit code, or 128 and the signal that killed it.
pub(crate) type ExitCode = i32;

/// Starts processes and learns of their ends. There is one in the process: it reaps whatever dies.
#[derive(Debug, Default)]
pub(crate) struct Children {
    expected: Mutex<HashMap<Pid, oneshot::Sender<ExitCode>>>,
}

/// How long leftovers may resist SIGKILL, and how often they are looked for.
const KILL_ROUNDS: u32 = 50;
const KILL_INTERVAL: Duration = Duration::from_millis(20);

impl Children {
    /// Starts reaping.
    pub(crate) fn supervise() -> io::Result<Arc<Self>> {
        set_child_subreaper(Some(getpid()))?;
        let children = Arc::new(Self::default());
        let mut deaths = signal(SignalKind::child())?;
        let reaper = Arc::clone(&children);
        tokio::spawn(async move {
            while deaths.recv().await.is_some() {
                reaper.reap();
            }
        });
        Ok(children)
    }

    /// Starts a process; the receiver tells how it ended.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<(Child, Pid, oneshot::Receiver<ExitCode>)> {
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the kernel gave a process no id"))?;
        let (sender, receiver) = oneshot::channel();
        // Nothing was awaited since the start: on one thread, it cannot have been reaped yet.
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, sender);
        Ok((child, pid, receiver))
    }

    fn reap(&self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
            let signalled = || status.terminating_signal().map(|signal| 128 + signal);
            let code = status.exit_status().or_else(signalled).unwrap_or(-1);
            if let Some(sender) = expected {
                // Nobody may be waiting any more.
                let _ = sender.send(code);
            }
        }
    }

    /// Kills every process below this one, and returns when none is left.
    pub(crate) async fn kill_all(&self) {
        for _ in 0..KILL_ROUNDS {
            let living = living_children().unwrap_or_default();
            if living.is_empty() {
                return;
            }
            for pid in living {
                // It may just have died.
                let _ = kill_process(pid, Signal::KILL);
            }
            tokio::time::sleep(KILL_INTERVAL).await;
            self.reap();
        }
        tracing::error!("processes of an ended task resist SIGKILL");
    }
}

/// Direct children; those of a child that dies become direct ones.
fn living_children() -> io::Result<Vec<Pid>> {
    let parent = getpid().as_raw_nonzero().get().to_string();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { continue };
        // A process that has gone meanwhile has no file.
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        if is_child(&stat, &parent) {
            children.push(pid);
        }
    }
    Ok(children)
}

/// `stat` is `PID (NAME) STATE PARENT …`, where the name may hold anything.
fn is_child(stat: &str, parent: &str) -> bool {
    let mut fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.next().is_some_and(|state| state != "Z") && fields.next() == Some(parent)
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_name_cannot_pretend_to_be_a_child() {
        assert!(is_child("12 (bash) S 7 12 12 0", "7"));
        assert!(is_child("12 (a) S 9 (b) S 7 12", "7"));
        assert!(!is_child("12 (x) S 7) S 9 12", "7"));
        assert!(!is_child("12 (bash) Z 7 12 12 0", "7"));
        assert!(!is_child("", "7"));
    }

    #[tokio::test]
    async fn ends_are_reported_and_orphans_killed() {
        let children = Children::supervise().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "(sleep 1000 & sleep 1001 & ) ; exit 7"]).stdin(Stdio::null());
        let (_child, _, ended) = children.spawn(&mut command).unwrap();
        assert_eq!(ended.await.unwrap(), 7);
        let (_child, pid, ended) = children.spawn(Command::new("sleep").arg("1002")).unwrap();
        children.kill_all().await;
        assert_eq!(ended.await.unwrap(), 128 + 9);
        assert!(!living_children().unwrap().contains(&pid));
        assert_eq!(living_children().unwrap(), []);
    }
}
