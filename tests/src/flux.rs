//! Flux on a node: its kustomize-controller runs as `devcluster up --flux` starts it, its source-controller is played by the
//! suites.
mod kustomization;
mod repository;

pub use self::{
    kustomization::{Kustomization, is_ready},
    repository::Repository,
};
