use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;

use crate::{
    accounting::Tokens,
    answer::{Act, Billed},
    ledger::{Entry, Ledger},
};

/// The connection is broken off because the script says so.
#[derive(Debug, thiserror::Error)]
#[error("the script cuts the connection here")]
pub(crate) struct Cut;

/// A response's body.
pub(crate) type Body = UnsyncBoxBody<Bytes, Cut>;

/// A body that is sent at once.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Who pays for a call, and what it has.
pub(crate) struct Bill {
    pub(crate) ledger: Arc<Ledger>,
    /// Without tokens.
    pub(crate) entry: Entry,
    pub(crate) prompt: Tokens,
    pub(crate) output_tokens: u64,
}

impl Bill {
    fn book(&self, part: Billed) {
        let (calls, tokens) = match part {
            Billed::Prompt => (1, self.prompt),
            Billed::Output => (0, Tokens { output: self.output_tokens, ..Tokens::default() }),
        };
        self.ledger.book(&Entry { calls, tokens, ..self.entry.clone() });
    }
}

/// A body that carries out `acts`, billing a part only after what it pays for was written to the socket.
pub(crate) fn played(acts: Vec<Act>, bill: Bill) -> Body {
    let frames = stream::unfold((acts.into_iter(), bill), |(mut acts, bill)| async move {
        loop {
            match acts.next()? {
                Act::Write(bytes) => return Some((Ok(Frame::data(bytes)), (acts, bill))),
                Act::Wait(duration) => tokio::time::sleep(duration).await,
                Act::Bill(part) => {
                    written().await;
                    bill.book(part);
                }
                Act::Cut => {
                    written().await;
                    return Some((Err(Cut), (acts, bill)));
                }
            }
        }
    });
    UnsyncBoxBody::new(StreamBody::new(frames))
}

/// hyper flushes what a body gave it when the body has nothing ready, and drops the body where that fails.
async fn written() {
    tokio::task::yield_now().await;
}
