//! What waits for one socket. Bounded by count and bytes; one that is full is closed, and its socket says where to go on.
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use komputer_events::Cursor;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::Frame;

/// How much may wait for one socket.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Frames.
    pub frames: usize,
    /// Bytes of them.
    pub bytes: usize,
}

#[derive(Debug, Default)]
struct Account {
    bytes: AtomicUsize,
    overflowed: AtomicBool,
}

/// The end that never waits.
#[derive(Debug)]
pub struct Outbox {
    frames: mpsc::Sender<Frame>,
    account: Arc<Account>,
    limit: usize,
    position: Cursor,
}

/// The end a socket takes from.
#[derive(Debug)]
pub struct Inbox {
    frames: mpsc::Receiver<Frame>,
    account: Arc<Account>,
}

/// A queue for a client that has everything up to `position`.
pub fn queue(limits: Limits, position: Cursor) -> (Outbox, Inbox) {
    let (sender, receiver) = mpsc::channel(limits.frames);
    let account = Arc::<Account>::default();
    let outbox = Outbox { frames: sender, account: account.clone(), limit: limits.bytes, position };
    (outbox, Inbox { frames: receiver, account })
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It waits, or the client has had it before.
    Taken,
    /// There was no room. The client is told, and gets nothing more.
    Full,
    /// The client is gone.
    Gone,
}

impl Outbox {
    /// Whether the client is gone.
    pub fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    /// What the client has, or will have once its queue is empty.
    pub fn position(&self) -> Cursor {
        self.position
    }

    /// The client has, or gets otherwise, everything up to here.
    pub fn advance(&mut self, position: Cursor) {
        self.position = self.position.max(position);
    }

    /// Queues an event, unless the client has had it.
    pub fn event(&mut self, frame: &Frame) -> Offer {
        if frame.cursor <= self.position {
            return Offer::Taken;
        }
        let offer = self.offer(frame);
        if offer == Offer::Taken {
            self.position = frame.cursor;
        }
        offer
    }

    /// Queues a frame.
    pub fn offer(&mut self, frame: &Frame) -> Offer {
        let size = frame.size();
        let waiting = self.account.bytes.fetch_add(size, Ordering::Relaxed);
        // One frame always fits, however large: otherwise no client could ever get it.
        let fits = waiting == 0 || waiting + size <= self.limit;
        let sent = if fits { self.frames.try_send(frame.clone()) } else { Err(TrySendError::Full(frame.clone())) };
        match sent {
            Ok(()) => Offer::Taken,
            Err(TrySendError::Closed(_)) => Offer::Gone,
            Err(TrySendError::Full(_)) => {
                self.account.overflowed.store(true, Ordering::Release);
                Offer::Full
            }
        }
    }
}

impl Inbox {
    /// Whether the queue overflowed; what still waits in it is not worth sending.
    pub fn overflowed(&self) -> bool {
        self.account.overflowed.load(Ordering::Acquire)
    }

    /// Waits for frames and takes up to `count`; nothing where none will come any more.
    pub async fn take(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.frames.recv_many(&mut frames, count).await;
        self.account.bytes.fetch_sub(frames.iter().map(Frame::size).sum(), Ordering::Relaxed);
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: u64, bytes: usize) -> Frame {
        Frame { cursor: format!("{n}-0").parse().unwrap(), text: "x".repeat(bytes).into() }
    }

    #[tokio::test]
    async fn a_full_queue_is_noticed_by_both_ends() {
        let (mut outbox, mut inbox) = queue(Limits { frames: 2, bytes: 10_000 }, Cursor::START);
        assert_eq!([1, 2, 3].map(|n| outbox.event(&frame(n, 1))), [Offer::Taken, Offer::Taken, Offer::Full]);
        assert!(inbox.overflowed());
        assert_eq!(inbox.take(9).await, [frame(1, 1), frame(2, 1)]);
    }

    #[tokio::test]
    async fn bytes_count_until_they_are_taken_and_one_frame_always_fits() {
        let (mut outbox, mut inbox) = queue(Limits { frames: 10, bytes: 1_000 }, Cursor::START);
        assert_eq!(outbox.event(&frame(1, 2_000)), Offer::Taken);
        inbox.take(9).await;
        assert_eq!(outbox.event(&frame(2, 500)), Offer::Taken);
        assert!(!inbox.overflowed());
        assert_eq!(outbox.event(&frame(3, 500)), Offer::Full);
        assert!(inbox.overflowed());
    }

    #[tokio::test]
    async fn nothing_is_queued_twice() {
        let (mut outbox, mut inbox) = queue(Limits { frames: 10, bytes: 1_000 }, "2-0".parse().unwrap());
        for n in [1, 2, 3, 3, 2, 4] {
            assert_eq!(outbox.event(&frame(n, 1)), Offer::Taken);
        }
        assert_eq!(inbox.take(9).await, [frame(3, 1), frame(4, 1)]);
        drop(inbox);
        assert_eq!(outbox.event(&frame(5, 1)), Offer::Gone);
    }
}
