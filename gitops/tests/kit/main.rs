//! What GitOps tools are given: `kustomize/components` and `examples/gitops`, by those tools' own code and a real apiserver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod argo_layout;
mod argocd_example;
mod document;
mod files;
mod generated;
mod health;
mod installed;
mod judge;
mod kinds;
mod overlays;
mod policies;
mod states;
