//! What a manager has asked of its office: each request is an event on its stream, and the operator brings the answer.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use komputer_events::{
    Body,
    office::{Answer, OPEN_REQUESTS, OfficeRequest, REQUEST},
};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    journal::{Journal, JournalError},
    tasks::Account,
};

/// Requests that wait for their answers.
#[derive(Debug)]
pub(crate) struct Requests {
    journal: Arc<Journal>,
    open: Mutex<HashMap<Uuid, Open>>,
}

#[derive(Debug)]
struct Open {
    account: Arc<Account>,
    answer: oneshot::Sender<Answer>,
}

impl Requests {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, open: Mutex::default() }
    }

    /// Asks, and waits for the answer. Dropped, nobody waits any more.
    pub(crate) async fn ask(&self, account: &Arc<Account>, request: OfficeRequest) -> Answer {
        let id = Uuid::new_v4();
        let (answer, answered) = oneshot::channel();
        if let Err(words) = self.open(id, account, &request, answer) {
            return Answer::Error(words);
        }
        let _closes = Closing { requests: self, id };
        if let Err(error) = account.say(Body::OfficeRequest { id: id.to_string(), request }) {
            return Answer::Error(format!("the request could not be written down: {error}"));
        }
        answered.await.unwrap_or_else(|_| Answer::Error("the request was given up".into()))
    }

    /// Takes an answer; one that nobody waits for is written down too, so that it is not sent again.
    pub(crate) fn answer(&self, id: Uuid, answer: Answer) -> Result<(), JournalError> {
        let open = self.lock().remove(&id);
        let body = Body::OfficeAnswer { id: id.to_string(), is_error: matches!(answer, Answer::Error(_)) };
        let Some(open) = open else { return self.journal.append(None, body).map(drop) };
        open.account.say(body)?;
        let _ = open.answer.send(answer);
        Ok(())
    }

    fn open(
        &self,
        id: Uuid,
        account: &Arc<Account>,
        request: &OfficeRequest,
        answer: oneshot::Sender<Answer>,
    ) -> Result<(), String> {
        let length = serde_json::to_vec(request).map_or(usize::MAX, |json| json.len());
        if length > REQUEST {
            return Err(format!("the request has {length} bytes and may have {REQUEST}; say it in fewer words"));
        }
        let mut open = self.lock();
        if open.len() >= OPEN_REQUESTS {
            return Err(format!("{OPEN_REQUESTS} requests wait for their answers already; wait for one of them first"));
        }
        open.insert(id, Open { account: account.clone(), answer });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose asker waits no more is open no more.
struct Closing<'a> {
    requests: &'a Requests,
    id: Uuid,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.requests.lock().remove(&self.id);
    }
}
