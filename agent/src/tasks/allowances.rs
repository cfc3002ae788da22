//! What budgets let a task cost. The operator says it before the task begins and whenever it changes.
use std::{fs, io, path::PathBuf};

use komputer_events::{Money, task::Allowance};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::store::TaskUid;
use crate::workspace::write_durably;

/// The allowance told last, kept on disk: a process that starts again must not take a task for one without limits.
#[derive(Debug)]
pub(crate) struct Allowances {
    path: PathBuf,
    told: watch::Sender<Option<Told>>,
}

/// An allowance, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    task: String,
    allowance: Allowance,
}

/// The allowance cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("the allowance in {path}: {source}")]
pub(crate) struct AllowanceError {
    path: PathBuf,
    source: io::Error,
}

impl Allowances {
    /// Takes up what an earlier process was told.
    pub(crate) fn open(path: PathBuf) -> Result<Self, AllowanceError> {
        let told = match fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        match told {
            Ok(told) => Ok(Self { path, told: watch::Sender::new(told) }),
            Err(source) => Err(AllowanceError { path, source }),
        }
    }

    /// From now on `task` may cost that much in all. Of other tasks nothing is known any more: one runs at a time.
    pub(crate) fn set(&self, task: &TaskUid, allowance: Allowance) -> Result<(), AllowanceError> {
        let told = Some(Told { task: task.to_string(), allowance });
        if *self.told.borrow() == told {
            return Ok(());
        }
        let json = serde_json::to_vec(&told).map_err(io::Error::from);
        let kept = json.and_then(|json| write_durably(&self.path, &json));
        kept.map_err(|source| AllowanceError { path: self.path.clone(), source })?;
        self.told.send_replace(told);
        Ok(())
    }

    /// What the task may cost, where a budget limits it.
    pub(crate) fn of(&self, task: &TaskUid) -> Option<(Money, String)> {
        limit(self.told.borrow().as_ref(), task)
    }

    /// Returns once the task may cost more than `cost`.
    pub(crate) async fn exceeds(&self, task: &TaskUid, cost: Money) {
        let may_go_on = |told: &Option<Told>| limit(told.as_ref(), task).is_none_or(|(up_to, _)| cost < up_to);
        let _ = self.told.subscribe().wait_for(may_go_on).await; // the sender lives as long as `self`
    }
}

fn limit(told: Option<&Told>, task: &TaskUid) -> Option<(Money, String)> {
    let told = told.filter(|told| told.task == task.as_str())?;
    Some((told.allowance.up_to_usd?, told.allowance.budget.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(nano: u64) -> Allowance {
        Allowance { up_to_usd: Some(Money::from_nano(nano)), budget: "team".into() }
    }

    #[test]
    fn an_allowance_outlives_the_process_and_is_of_one_task() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allowance.json");
        let (ours, other): (TaskUid, TaskUid) = ("t1".parse().unwrap(), "t2".parse().unwrap());
        Allowances::open(path.clone()).unwrap().set(&ours, up_to(7)).unwrap();
        let allowances = Allowances::open(path).unwrap();
        assert_eq!(allowances.of(&ours), Some((Money::from_nano(7), "team".into())));
        assert_eq!(allowances.of(&other), None);
        allowances.set(&ours, Allowance::default()).unwrap();
        assert_eq!(allowances.of(&ours), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_lack_of_limits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allowance.json");
        fs::write(&path, "{").unwrap();
        assert!(Allowances::open(path).is_err());
    }

    #[tokio::test]
    async fn a_raise_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let allowances = Allowances::open(directory.path().join("allowance.json")).unwrap();
        let task: TaskUid = "t1".parse().unwrap();
        allowances.set(&task, up_to(7)).unwrap();
        let raise = async {
            allowances.set(&task, up_to(5)).unwrap();
            tokio::task::yield_now().await;
            allowances.set(&task, up_to(8)).unwrap();
        };
        tokio::join!(allowances.exceeds(&task, Money::from_nano(7)), raise);
    }
}
