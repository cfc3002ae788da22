#!/usr/bin/env bash
# Proves what README.md promises, on this machine, in a few minutes: pods with volumes, services and DNS in two clusters side by side,
# light clusters in parallel, and that nothing is left behind however a cluster ends. Needs root.
set -euo pipefail

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
FULL=(test-a test-b) LIGHT=(test-c test-d)
WORK=$(mktemp -d)

devcluster() { "$HERE/devcluster" "$@"; }
# The clusters are checked for leftovers before this, so here it only tidies up after a failed check.
tidy() { for name in "${FULL[@]}" "${LIGHT[@]}"; do devcluster down --name "$name"; done; rm -rf "$WORK"; }
trap tidy EXIT

step() { echo "== $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
expect() { # what command...
  local what=$1; shift
  "$@" || fail "$what"
}

up() { devcluster up --name "$@" >"$WORK/$1.log" 2>&1 || { cat "$WORK/$1.log" >&2; fail "up $*"; }; }
down() { devcluster down --name "$1" || fail "down $1"; }
run_dir() { devcluster run-dir --name "$1"; }
in_cluster() { local name=$1; shift; devcluster kubectl --name "$name" "$@"; }
service_address() { in_cluster "$1" -n test get service web -o 'jsonpath={.spec.clusterIP}'; }
fetch() { curl --silent --fail --max-time 5 --noproxy '*' "http://$1"; }
restarts() { in_cluster "$1" -n test get pod web -o 'jsonpath={.status.containerStatuses[0].restartCount}'; }

sysctls() { sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes net.ipv4.ip_forward; }

# Everything of a cluster that could outlive it, by its names.
leftovers() { # name index
  local directories="/(run|var/lib)/komputer/$1(/|\$| )" process
  for process in /proc/[0-9]*; do
    if [[ $(readlink "$process/exe" 2>/dev/null) ]] && tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -qE "$directories"; then echo "process ${process#/proc/}"; fi
  done
  grep -E "$directories" /proc/mounts || true
  find /sys/fs/cgroup -type d -path "*/komputer/$1*"
  ls -d "$(run_dir "$1")" "/var/lib/komputer/$1" 2>/dev/null || true
  [[ -z ${2:-} ]] || { ip -oneline link show "komputer$2"; ip route | grep "10\.20[1-3]\.$((16 * $2))\.\|10\.201\.$2\."; } 2>/dev/null || true
}

expect_nothing_left() { # name [index]
  local left; left=$(leftovers "$@")
  [[ -z $left ]] || fail "cluster $1 left behind: $left"
}

sysctls >"$WORK/sysctls.before"

step "two full clusters start at the same time"
up test-a & first=$!
up test-b
wait $first
declare -A index
for name in "${FULL[@]}"; do index[$name]=$(cat "$(run_dir "$name")/index"); done
up test-a
expect "up of a running cluster says so" grep -q "runs already" "$WORK/test-a.log"

step "each runs a restricted pod with a volume, reached by address from here and by name from a pod"
for name in "${FULL[@]}"; do
  in_cluster "$name" apply -f "$HERE/test/pod.yaml" >/dev/null
done
for name in "${FULL[@]}"; do
  in_cluster "$name" -n test wait --for=condition=Ready pod/web --timeout=60s >/dev/null
  expect "service by address in $name" test "$(fetch "$(service_address "$name")")" = web
  expect "service from the node, as the API server calls webhooks" \
    test "$(devcluster enter --name "$name" curl --silent --max-time 5 --noproxy '*' "http://$(service_address "$name")")" = web
  expect "service by name in $name" test "$(in_cluster "$name" -n test exec web -- wget -qO- http://web.test.svc.cluster.local)" = web
  expect "the check for leftovers sees what runs in $name" test -n "$(leftovers "$name" "${index[$name]}")"
  expect "machine settings are untouched by $name" diff "$WORK/sysctls.before" <(sysctls)
done

step "a killed container is back within seconds, twice"
for _ in 1 2; do
  before=$(restarts test-b)
  devcluster enter --name test-b pkill -9 -x -f 'httpd -f -p 8080 -h /workspace'
  for _ in $(seq 100); do [[ $(restarts test-b) -gt $before ]] && break; sleep 0.2; done
  expect "the container was started again" test "$(restarts test-b)" -gt "$before"
  in_cluster test-b -n test wait --for=condition=Ready pod/web --timeout=30s >/dev/null
done

step "a killed API server comes back with its objects"
devcluster stop --name test-b kube-apiserver
up test-b
expect "up says what had died" grep -q "starting kube-apiserver again" "$WORK/test-b.log"
expect "the pod is still known" in_cluster test-b -n test get pod web >/dev/null

step "the audit log has writes and no reads"
log=$(run_dir test-a)/log/audit.log
expect "the pod's creation is in the log" grep -q '"requestURI":"/api/v1/namespaces/test/pods' "$log"
expect "no reads are in the log" test -z "$(grep -E '"verb":"(get|list|watch)"' "$log" | head -n 1)"

step "one goes down, the other keeps its pod"
before=$(restarts test-b)
down test-a
expect_nothing_left test-a "${index[test-a]}"
expect "the other still answers" test "$(fetch "$(service_address test-b)")" = web
expect "its pod was not restarted" test "$(restarts test-b)" = "$before"

step "a killed node leaves nothing either"
kill -9 "$(cut -d' ' -f1 "$(run_dir test-b)/node")"
down test-b
expect_nothing_left test-b "${index[test-b]}"

step "a start that is killed half way leaves nothing either"
setsid "$HERE/devcluster" up --name test-a >/dev/null 2>&1 & starter=$!
for _ in $(seq 100); do [[ -e $(run_dir test-a)/pids/containerd ]] && break; sleep 0.1; done
kill -9 $starter; wait $starter 2>/dev/null || true
number=$(cat "$(run_dir test-a)/index")
down test-a
expect_nothing_left test-a "$number"

step "light clusters in parallel, with and without controllers, and with Flux"
up test-c --light & first=$!
up test-d --light --controller-manager --flux
wait $first
in_cluster test-d apply -f "$HERE/test/kustomization.yaml" >/dev/null
in_cluster test-d wait --for=condition=Ready=False kustomization/without-a-source --timeout=30s >/dev/null
for name in "${LIGHT[@]}"; do in_cluster "$name" create namespace test >/dev/null; done
in_cluster test-d delete namespace test --timeout=30s >/dev/null
for name in "${LIGHT[@]}"; do down "$name"; expect_nothing_left "$name"; done

expect "machine settings are as before" diff "$WORK/sysctls.before" <(sysctls)
step "passed"
