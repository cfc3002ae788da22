//! Every command of the README's tour, as it stands there.
use std::path::Path;

use anyhow::{Context, ensure};
use komputer_tests::node::Node;
use tokio::process::Command;

const README: &str = include_str!("../../README.md");
const TOUR: &str = "## Three minutes with kubectl";

/// The tour's blocks of commands, in order.
fn blocks() -> Vec<String> {
    let tour = README.split(TOUR).nth(1).unwrap_or_default().split("\n## ").next().unwrap_or_default();
    let blocks = tour.split("\n\n").filter(|part| part.lines().all(|line| line.starts_with("    ")));
    blocks.map(|block| block.lines().map(str::trim).collect::<Vec<_>>().join("\n")).filter(|b| !b.is_empty()).collect()
}

#[tokio::test]
async fn the_tour_works_as_it_stands_there() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let blocks = blocks();
    ensure!(blocks.len() == 3 && blocks[0].contains("kubectl apply"), "the tour has changed its shape: {blocks:#?}");
    let script = blocks.join("\n");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no parent")?;
    let output = Command::new("bash")
        .args(["-euxo", "pipefail", "-c", &script])
        .current_dir(root)
        .env("CLUSTER_NAME", std::env::var("CLUSTER_NAME").unwrap_or_else(|_| "e2e".into()))
        .output()
        .await?;
    let (said, steps) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "the tour failed:\n{said}\n{steps}");
    for expected in
        ["FIELDS:", "komputeragent.komputer.komputer.ai/hello-world created", "Total Cost USD", "The agent works"]
    {
        ensure!(said.contains(expected), "the tour does not show {expected:?}:\n{said}");
    }
    let gone = node.agents("default").get_opt("hello-world").await?;
    ensure!(gone.is_none(), "the tour leaves its agent behind");
    Ok(())
}
