# shellcheck shell=bash
# A cluster as a whole: up, down, status.

# Loads what a running cluster is made of into the settings.
require_cluster() {
  [[ -e $RUN/ready ]] || fail "no cluster '$NAME' runs; start it with: devcluster up --name $NAME"
  use_index "$(cat "$RUN/index")"
  if [[ ! -e $RUN/light ]]; then
    alive "$RUN/node" || fail "the node of cluster '$NAME' has died; remove the rest with: devcluster down --name $NAME"
    enter_node
  fi
}

up_light() { # manager flux
  local manager=$1 flux=$2
  if revive light; then
    if [[ -n $manager && ! -e $RUN/commands/kube-controller-manager ]]; then start_controller_manager; fi
    add_flux "$flux"
    return
  fi
  build light "$flux"
  down
  SECONDS=0
  claim light
  create_certificates
  start_apiserver
  wait_for_apiserver
  if [[ -n $manager ]]; then start_controller_manager; fi
  add_flux "$flux"
  announce
}

up_full() { # internet flux archives
  local internet=$1 flux=$2; shift 2
  [[ $EUID -eq 0 ]] || fail "a full cluster needs root for its namespaces; --light does not"
  if revive ''; then
    load_image "$@"
    add_flux "$flux"
    return
  fi
  build '' "$flux"
  if [[ -n $internet ]]; then install_missing slirp4netns=slirp4netns; fi
  fill_image_store "$(base_images)" "$@"
  down
  SECONDS=0
  # A containerd of a few hundred pods needs more files than a login has.
  ulimit -n "$(ulimit -Hn)"
  claim ''
  [[ -z $internet ]] || touch "$RUN/internet"
  create_node
  join_network
  create_cgroups
  create_certificates
  start_apiserver
  copy_image_store
  start_containerd
  wait_for_apiserver
  start_controller_manager
  start_scheduler
  wait_until 30 containerd_ready "$RUN/containerd.sock" || fail "containerd is not ready after 30 s"
  start_kubelet
  start_proxy
  start_dns
  start_storage
  apply_node_objects
  wait_until 60 node_ready || fail "the node is not Ready after 60 s"
  # Pods are refused until their namespace has its ServiceAccount.
  wait_until 60 has_service_account || fail "the namespace default has no ServiceAccount after 60 s"
  add_flux "$flux"
  announce
}

add_flux() { # flux
  [[ -n $1 && ! -e $RUN/commands/kustomize-controller ]] || return 0
  build_flux
  start_flux
}

# Succeeds where the cluster is there already; what has died of it is started again.
revive() { # light or nothing
  local file
  wait_for_other_up || fail "cluster '$NAME' is being started by another devcluster for more than two minutes"
  [[ -e $RUN/ready ]] && { [[ -e $RUN/light ]] || alive "$RUN/node"; } || return
  [[ -n $1 || ! -e $RUN/light ]] || fail "cluster '$NAME' is a light one; take another --name, or devcluster down first"
  [[ -z $1 || -e $RUN/light ]] || fail "cluster '$NAME' is a full one; take another --name, or devcluster down first"
  require_cluster
  for file in "$RUN"/pids/*; do
    if ! alive "$file"; then echo "starting ${file##*/} again"; start_again "${file##*/}"; fi
  done
  wait_for_apiserver
  echo "cluster '$NAME' runs already: KUBECONFIG=$RUN/kubeconfig"
}

announce() {
  touch "$RUN/ready"
  trap - EXIT
  echo "cluster '$NAME' is ready after $SECONDS s: KUBECONFIG=$RUN/kubeconfig"
}

# Where the same cluster is being started by somebody else, lets them finish.
wait_for_other_up() { wait_until 120 no_other_up; }
no_other_up() { [[ -e $RUN/ready ]] || ! alive "$RUN/starter"; }

# Makes the run directory, with an index nobody else has.
claim() { # light or nothing
  local lock index first=0 last=$FULL_CLUSTERS
  mkdir -p "$RUNS" "$DATA_ROOT"
  exec {lock}<"$RUNS"
  flock "$lock"
  mkdir -m 700 "$RUN" "$DATA" || fail "cluster '$NAME' is being started by another devcluster"
  trap 'abandon_up' EXIT
  process_mark $$ >"$RUN/starter"
  mkdir "$RUN"/{pki,log,pids,etc,cni,commands}
  if [[ -n $1 ]]; then touch "$RUN/light"; first=$FULL_CLUSTERS last=$LIGHT_CLUSTERS; fi
  for ((index = first; index < last; index++)); do
    if ! grep -qsx "$index" "$RUNS"/*/index && index_is_free "$index"; then
      echo "$index" >"$RUN/index"
      break
    fi
  done
  exec {lock}<&-
  [[ -e $RUN/index ]] || fail "all $((last - first)) places for such clusters are taken; see $RUNS"
}

abandon_up() {
  local log
  echo "devcluster: cluster '$NAME' did not start; the last lines of its logs:" >&2
  for log in "$RUN"/log/*.log; do echo "--- $log"; tail -n 20 "$log"; done >&2
  down
}

down() {
  if [[ -e $RUN/index ]]; then
    use_index "$(cat "$RUN/index")"
    if [[ -e $RUN/light ]]; then
      local file
      for file in "$RUN"/pids/*; do [[ ! -e $file ]] || kill_marked "$file"; done
    else
      if alive "$RUN/node"; then enter_node; kill_marked "$RUN/node"; fi
      ENTER=()
      [[ ! -e $RUN/internet ]] || kill_marked "$RUN/internet"
      remove_cgroups
    fi
  fi
  rm -rf "$RUN" "$DATA"
}

down_all() {
  local run
  for run in "$RUNS"/*/; do
    if [[ -d $run ]]; then use_name "$(basename "$run")"; down; fi
  done
}

status() {
  require_cluster
  local file pid
  [[ -e $RUN/light ]] || kubectl get node "$NAME"
  apiserver_ready && echo "kube-apiserver answers at https://$API_ADDRESS:$API_PORT" || echo "kube-apiserver does not answer"
  printf '%-24s %8s %8s\n' PROGRAM PID 'RSS MB'
  for file in "$RUN"/pids/*; do
    if alive "$file"; then
      pid=$(worker "$file")
      printf '%-24s %8s %8s\n' "${file##*/}" "$pid" "$(awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/$pid/status")"
    else
      printf '%-24s %8s\n' "${file##*/}" dead
    fi
  done
}
