# shellcheck shell=bash
# Flux's kustomize-controller, and the definitions it works on. Nothing fetches sources: whoever uses it writes their status.

readonly KUSTOMIZE_CONTROLLER=github.com/fluxcd/kustomize-controller SOURCE_CONTROLLER=github.com/fluxcd/source-controller

build_flux() {
  install_missing jq=jq
  build_program flux "Flux's kustomize-controller $(module_version $KUSTOMIZE_CONTROLLER flux)" "about 3 minutes on two idle cores"
  if [[ ! -e $(flux_definitions) ]]; then with_lock flux write_flux_definitions "$(flux_definitions)"; fi
}

flux_definitions() { echo "$(program flux)-definitions.yaml"; }

# The sources' definitions are in a module that nothing is built of; go.sum has its checksum too.
write_flux_definitions() { # file
  local version
  version=$(module_version $SOURCE_CONTROLLER/api flux)
  cat "$(module_directory $KUSTOMIZE_CONTROLLER "$(module_version $KUSTOMIZE_CONTROLLER flux)")"/config/crd/bases/*.yaml \
    "$(module_directory $SOURCE_CONTROLLER "$version")"/config/crd/bases/*.yaml >"$1.partial"
  mv "$1.partial" "$1"
}

module_directory() { # module version
  env -C "$HERE/flux" go mod download -json "$1@$2" | jq -r .Dir
}

start_flux() {
  # With their descriptions the definitions are too large for client-side apply.
  kubectl apply --server-side -f "$(flux_definitions)" >/dev/null
  kubectl wait --for=condition=Established -f "$(flux_definitions)" --timeout=30s >/dev/null
  mkdir -p "$DATA/flux"
  # It removes what it finds of others' in its directory for temporary files.
  start kustomize-controller env KUBECONFIG="$RUN/kubeconfig" TMPDIR="$DATA/flux" "$(program flux)" \
    --metrics-addr=0 --health-addr=0 --requeue-dependency=2s
}
