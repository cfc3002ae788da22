use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::time::Instant;

use crate::process::{self, Usage};

/// The operator's process, and what it counts.
pub(crate) struct Operator {
    process: Child,
    address: String,
    pub(crate) started: Instant,
}

/// What an operator has counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Requests to the apiserver for one object each, by action and kind.
    pub(crate) writes: BTreeMap<String, u64>,
    /// Looks at agents, until all is carried out.
    pub(crate) looks: Times,
    /// Looks at agents, until it is decided what to do.
    pub(crate) decisions: Times,
}

/// How many took at most so many seconds, the last for all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<(f64, u64)>);

const PATIENCE: Duration = Duration::from_mins(1);

impl Operator {
    /// Starts it, and waits until it is ready. Its health and metrics are at `address`, which is its name for the lease too.
    pub(crate) async fn start(command: &[String], address: &str) -> anyhow::Result<Self> {
        let (program, arguments) = command.split_first().context("no command that starts the operator")?;
        let mut command = Command::new(program);
        command.args(arguments).args(["--health-listen", address, "--identity", address]);
        let process = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let operator = Self { process, address: address.into(), started: Instant::now() };
        while operator.get("readyz").await.is_err() {
            ensure!(operator.started.elapsed() < PATIENCE, "the operator is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(operator)
    }

    /// Ends it as Kubernetes does.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.ask_to_end()?;
        while self.process.try_wait()?.is_none() {
            ensure!(begun.elapsed() < PATIENCE, "the operator does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Tells it to end, and does not wait.
    pub(crate) fn ask_to_end(&self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.process.id().to_string()).status()?;
        Ok(())
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        process::usage(self.process.id())
    }

    pub(crate) async fn counts(&self) -> anyhow::Result<Counts> {
        Ok(Counts::parse(&self.get("metrics").await?))
    }

    /// When it last looked at an agent, once it has looked at so many and then at none for two seconds.
    pub(crate) async fn rests(&self, agents: u64) -> anyhow::Result<Instant> {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let now = self.counts().await?.looks.count();
            if now != before {
                (before, since) = (now, Instant::now());
            } else if now >= agents && since.elapsed() > Duration::from_secs(2) {
                return Ok(since);
            }
            ensure!(since.elapsed() < 5 * PATIENCE, "the operator has looked at {now} of {agents} agents");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let response = reqwest::get(format!("http://{}/{path}", self.address)).await?;
        Ok(response.error_for_status()?.text().await?)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Counts {
    fn parse(text: &str) -> Self {
        let mut counts = Self::default();
        for (series, value) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
            let label = |name: &str| Some(series.split_once(&format!("{name}=\""))?.1.split_once('"')?.0);
            let value: u64 = value.parse().unwrap_or_default();
            if series.starts_with("komputer_operator_writes_total{") {
                let what = format!("{} {}", label("action").unwrap_or("?"), label("kind").unwrap_or("?"));
                *counts.writes.entry(what).or_default() += value;
            } else if label("kind") == Some("KomputerAgent") {
                let bound = label("le").and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY);
                if series.starts_with("komputer_operator_reconcile_duration_seconds_bucket{") {
                    counts.looks.add(bound, value);
                } else if series.starts_with("komputer_operator_decision_duration_seconds_bucket{") {
                    counts.decisions.add(bound, value);
                }
            }
        }
        counts
    }

    pub(crate) fn all_writes(&self) -> u64 {
        self.writes.values().sum()
    }

    /// What was counted since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let less = |what: &String, count: u64| count - before.writes.get(what).copied().unwrap_or_default();
        let writes = self.writes.iter().map(|(what, count)| (what.clone(), less(what, *count)));
        Self {
            writes: writes.collect(),
            looks: self.looks.since(&before.looks),
            decisions: self.decisions.since(&before.decisions),
        }
    }
}

impl Times {
    /// Some took at most so many seconds; bounds come in their order, once for each result.
    fn add(&mut self, bound: f64, count: u64) {
        match self.0.iter_mut().find(|(known, _)| *known >= bound) {
            Some((_, known)) => *known += count,
            None => self.0.push((bound, count)),
        }
    }

    fn count(&self) -> u64 {
        self.0.last().map_or(0, |(_, count)| *count)
    }

    fn since(&self, before: &Self) -> Self {
        let earlier = |index: usize| before.0.get(index).map_or(0, |(_, count)| *count);
        Self(self.0.iter().enumerate().map(|(index, (bound, count))| (*bound, count - earlier(index))).collect())
    }

    /// The milliseconds that so many in a hundred do not exceed, up to the next bound of the histogram.
    pub(crate) fn percentile(&self, percent: u64) -> f64 {
        let wanted = (self.count() * percent).div_ceil(100);
        self.0.iter().find(|(_, count)| *count >= wanted).map_or(0.0, |(bound, _)| *bound * 1_000.0)
    }
}
