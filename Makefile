# The same commands for people and for CI. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A cluster of its own by default; CLUSTER=current uses the current kube context and touches no machine state.
export CLUSTER ?= own
# The name of the own cluster; several run side by side.
export CLUSTER_NAME ?= dev
# Where a current cluster's nodes find the images: a registry and path that `make push` pushes to. As they are named on
# this machine by default, for nodes that have them.
export IMAGES ?= localhost
# Everything that is built or fetched, outside of the checkout.
export KOMPUTER_CACHE ?= $(HOME)/.cache/komputer
export CARGO_TARGET_DIR ?= $(KOMPUTER_CACHE)/target

.PHONY: help
help: ## Lists the commands.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: up
up: ## Starts a cluster, installs komputer and runs the hello-world agent.
	@scripts/up

.PHONY: down
down: ## Stops the cluster and leaves nothing behind; with CLUSTER=current removes komputer from it.
	@scripts/down

.PHONY: status
status: ## Shows the cluster and komputer's parts in it.
	@scripts/status

.PHONY: kubeconfig
kubeconfig: ## Prints the path of the kubeconfig; use `make -s`.
	@devcluster/devcluster kubeconfig --name $(CLUSTER_NAME)

.PHONY: images
images: ## Builds the binaries and the images.
	@scripts/binaries
	@BINARIES=$(KOMPUTER_CACHE)/binaries images/build

.PHONY: push
push: images ## Pushes the images to IMAGES=REGISTRY/PATH, for clusters of others.
	@images/push

.PHONY: test
test: check test-unit test-api test-e2e ## Runs the checks and every test.
	@scripts/check-features ran

.PHONY: check
check: ## Format, lints, dependencies, scripts, generated files.
	@scripts/check

.PHONY: test-unit
test-unit: ## Tests that need no cluster.
	@scripts/test unit

.PHONY: simulate
simulate: ## Drives all controllers through a million random steps in one simulated world, optimized.
	@WORLDS=$${WORLDS:-500} STEPS=$${STEPS:-2000} cargo test --release --workspace --locked --lib simulation::whatever -- --nocapture

.PHONY: test-api
test-api: ## Tests against etcd and kube-apiserver alone.
	@scripts/test api

.PHONY: test-e2e
test-e2e: ## Tests on a whole node.
	@scripts/test e2e

.PHONY: test-gitops
test-gitops: ## Those of them that Flux carries out, on a node of their own.
	@scripts/test gitops

.PHONY: test-devcluster
test-devcluster: ## Tests of the cluster itself, in a few minutes.
	@devcluster/test.sh

.PHONY: fuzz
fuzz: SECONDS ?= 60
fuzz: ## Fuzzes conversion and admission, for SECONDS a target.
	@scripts/fuzz $(SECONDS)

.PHONY: generate
generate: ## Writes the files that are made from the sources.
	@cargo run -q -p komputer-crds --bin print-crds kustomize/base/crds
	@cargo run -q -p komputer-crds --bin print-schemas docs/schemas
	@cargo run -q -p komputer-crds --bin print-reference docs/reference
	@KOMPUTER_WRITE=1 cargo test -q --workspace --test kit generated_

.PHONY: bench
bench: ## Measures speed and size, and prints a table.
	@scripts/bench
