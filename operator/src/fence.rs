//! A client whose connections end with the leadership.
//!
//! What is checked before a request is made does not hold for one that waits in a buffer while the process is stopped.
//! Here the check stands before each write to a socket: all that can still get through is what a thread was in the middle
//! of handing to the kernel.
use std::{future::poll_fn, pin::Pin, task::Poll};

use kube::{Client, Config, client::ClientBuilder};

use crate::lease::Leadership;

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// For everything that only a leader may do: no request, reading or writing, is sent by who does not lead.
///
/// # Errors
/// What the configuration says cannot be set up.
pub fn client(config: Config, leading: Leadership) -> kube::Result<Client> {
    build(config, Fence(Some(leading)))
}

/// For what every replica does. It is built like the other, or the program would hold the whole of HTTP twice.
///
/// # Errors
/// What the configuration says cannot be set up.
pub fn open_client(config: Config) -> kube::Result<Client> {
    build(config, Fence(None))
}

fn build(config: Config, fence: Fence) -> kube::Result<Client> {
    Ok(ClientBuilder::try_from((config, fence))?.build())
}

/// Runs connections for as long as it leads, where that counts, and drops them with all that they have not sent.
#[derive(Clone)]
struct Fence(Option<Leadership>);

impl hyper::rt::Executor<Connection> for Fence {
    fn execute(&self, mut connection: Connection) {
        let Self(leading) = self.clone();
        tokio::spawn(poll_fn(move |context| {
            let may_go_on = leading.as_ref().is_none_or(Leadership::holds);
            if may_go_on { connection.as_mut().poll(context) } else { Poll::Ready(()) }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use hyper::rt::Executor as _;
    use tokio::{sync::watch, time::Instant};

    use super::*;

    /// Nothing but the clock moves on, as for a process that was stopped.
    #[tokio::test(start_paused = true)]
    async fn a_connection_sends_nothing_more_when_its_process_goes_on_and_leads_no_more() {
        let (_until, leads) = watch::channel(Some(Instant::now() + Duration::from_secs(10)));
        let sent = Arc::new(AtomicUsize::new(0));
        let (requests, mut waiting) = tokio::sync::mpsc::unbounded_channel::<()>();
        let count = sent.clone();
        let connection = async move {
            while waiting.recv().await.is_some() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        Fence(Some(Leadership::new(leads))).execute(Box::pin(connection));
        requests.send(()).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(sent.load(Ordering::Relaxed), 1);

        requests.send(()).unwrap(); // it waits in a buffer
        tokio::time::advance(Duration::from_secs(10)).await;
        tokio::task::yield_now().await;
        assert_eq!(sent.load(Ordering::Relaxed), 1);
        assert!(requests.is_closed());
    }
}
