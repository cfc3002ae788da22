//! The document and the example that it shows.
use std::{fs, path::Path};

use anyhow::{Context, ensure};
use komputer_tests::{document::yaml_blocks, node::Node};
use serde_json::{Value, json};
use tempfile::TempDir;

const DOCUMENT: &str = include_str!("../../../docs/gitops/flux.md");
const INFRASTRUCTURE: &str = include_str!("../../../examples/gitops/flux/clusters/production/infrastructure.yaml");

#[test]
fn every_block_of_the_document_is_a_file_of_the_example() -> anyhow::Result<()> {
    let files = files(&root().join("examples/gitops/flux"))?;
    let blocks = yaml_blocks(DOCUMENT);
    ensure!(blocks.len() >= 4, "{} blocks", blocks.len());
    for block in blocks {
        ensure!(files.iter().any(|file| file == block), "no file of the example is this block:\n{block}");
    }
    Ok(())
}

#[tokio::test]
async fn the_example_replaces_every_image_that_only_this_machine_has() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let komputer = INFRASTRUCTURE.split("---\n").next().context("no Kustomization of komputer")?;
    let komputer: Value = serde_yaml::from_str(komputer)?;
    let directory = TempDir::new()?;
    let up: String = directory.path().components().skip(1).map(|_| "../").collect();
    let base = root().canonicalize()?.join("kustomize/base").to_string_lossy().trim_start_matches('/').to_owned();
    let overlay = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": [up + &base],
        "images": komputer["spec"]["images"], "patches": komputer["spec"]["patches"],
    });
    fs::write(directory.path().join("kustomization.yaml"), overlay.to_string())?;
    let built = node.kubectl(&["kustomize", &directory.path().to_string_lossy()], "").await?;
    let of_this_machine: Vec<_> = built.lines().filter(|line| line.contains("localhost/")).collect();
    ensure!(of_this_machine.is_empty(), "{of_this_machine:?}");
    ensure!(built.contains("registry.example.com/komputer/komputer-agent:dev"), "the agent's image is not replaced");
    Ok(())
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What the files below a directory hold.
fn files(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(fs::read_to_string(&path)?);
        }
    }
    Ok(found)
}
