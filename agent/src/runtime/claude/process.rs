//! Claude Code's process: its pipes and its end.
use std::{
    io,
    os::fd::OwnedFd,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::pipe,
    sync::{mpsc, oneshot},
};

use super::lines::Lines;
use crate::children::{Children, ExitCode};

/// Lines that wait for Claude Code to read them: one prompt, and an answer to each of its requests.
const INPUT_QUEUE: usize = 64;
/// Bytes read at once.
const BUFFER: usize = 64 << 10;
/// Bytes of standard error that are remembered.
const STDERR: usize = 4 << 10;
/// What is still in the pipe when the process has ended is read; a tool that outlives it may hold it open.
const REST: Duration = Duration::from_millis(500);

/// A running process that speaks lines.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    input: Option<mpsc::Sender<Vec<u8>>>,
    lines: Lines<BufReader<pipe::Receiver>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    end: oneshot::Receiver<ExitCode>,
    ended: Option<ExitCode>,
}

/// What a process gave.
pub(super) enum Output {
    Line(Vec<u8>),
    Ended(ExitCode),
}

impl Process {
    pub(super) fn start(children: &Children, command: &mut Command) -> io::Result<Self> {
        let (mut child, pid, end) = children.spawn(command)?;
        let missing = || io::Error::other("the process has no pipe");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let lines = Lines::new(BufReader::with_capacity(BUFFER, pipe::Receiver::from_owned_fd(OwnedFd::from(stdout))?));
        Ok(Self {
            pid,
            input: Some(writer(pipe::Sender::from_owned_fd(OwnedFd::from(stdin))?)),
            lines,
            stderr: tail(pipe::Receiver::from_owned_fd(OwnedFd::from(stderr))?),
            end,
            ended: None,
        })
    }

    /// Queues a line; without effect once the input is closed.
    pub(super) fn write(&self, line: Vec<u8>) {
        if let Some(Err(error)) = self.input.as_ref().map(|input| input.try_send(line)) {
            tracing::warn!(%error, "Claude Code does not read its input");
        }
    }

    /// Ends the input, after what is queued.
    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    /// Without effect once it has ended.
    pub(super) fn kill(&self, signal: Signal) {
        if self.ended.is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// The next line, or how it ended. A call that is dropped while it waits loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Output> {
        if self.ended.is_none() {
            tokio::select! {
                biased;
                line = self.lines.next() => if let Some(line) = line? { return Ok(Output::Line(line)) },
                code = &mut self.end => self.ended = Some(code.unwrap_or(-1)),
            }
        }
        let code = match self.ended {
            Some(code) => code,
            None => *self.ended.insert((&mut self.end).await.unwrap_or(-1)),
        };
        match tokio::time::timeout(REST, self.lines.next()).await {
            Ok(Ok(Some(line))) => Ok(Output::Line(line)),
            _ => Ok(Output::Ended(code)),
        }
    }

    /// The end of what it wrote to standard error.
    pub(super) fn stderr(&self) -> String {
        let bytes = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

fn writer(mut pipe: pipe::Sender) -> mpsc::Sender<Vec<u8>> {
    let (sender, mut lines) = mpsc::channel::<Vec<u8>>(INPUT_QUEUE);
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            if pipe.write_all(&line).await.is_err() {
                return; // It has ended; that is told elsewhere.
            }
        }
    });
    sender
}

fn tail(mut pipe: pipe::Receiver) -> Arc<Mutex<Vec<u8>>> {
    let tail = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&tail);
    tokio::spawn(async move {
        let mut buffer = [0; STDERR];
        while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(&buffer[..length]);
            let superfluous = kept.len().saturating_sub(STDERR);
            kept.drain(..superfluous);
        }
    });
    tail
}
