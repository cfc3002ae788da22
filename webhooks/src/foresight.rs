//! What a change will do, told as warnings of a dry run: `kubectl apply --dry-run=server` and `kubectl diff` show them.
mod agent;
mod budget;
mod schedule;
mod squad;
mod task;
mod template;

use jiff::Timestamp;
use komputer_crds::validate::Kind;
use serde_json::Value;

use crate::references::References;

/// A change that somebody considers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// `null` where the object is new.
    pub(crate) old: &'a Value,
    pub(crate) new: &'a Value,
}

impl<'a> Change<'a> {
    /// What was, and what is to be, at that place; nothing where both are the same.
    fn of(&self, pointer: &str) -> Option<(Option<&'a Value>, Option<&'a Value>)> {
        let (old, new) = (self.old.pointer(pointer), self.new.pointer(pointer));
        (old != new).then_some((old, new))
    }

    fn is_new(&self) -> bool {
        self.old.is_null()
    }

    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.new.pointer(pointer)?.as_str()
    }
}

/// What comes of it.
pub(crate) fn foresight(kind: Kind, change: Change<'_>, references: &References) -> Vec<String> {
    match kind {
        Kind::Agent => agent::foresight(change),
        Kind::Template | Kind::ClusterTemplate => {
            template::foresight(kind, change, &references.agents_of(kind, change.namespace, change.name))
        }
        Kind::Task => task::foresight(change),
        Kind::Budget => budget::foresight(change),
        Kind::Schedule => schedule::foresight(change, Timestamp::now()).into_iter().collect(),
        Kind::Squad => squad::foresight(change),
        _ => Vec::new(),
    }
}
