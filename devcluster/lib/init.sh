#!/usr/bin/env bash
# PID 1 of a node: `init.sh RUN DATA`, in network, mount and PID namespaces of its own. When it ends, the kernel ends every process of the
# node, its pods included, and takes back every mount and link; so stopping a cluster is one kill.
set -euo pipefail
run=$1 data=$2

mount --make-rshared /

# Whatever the programs write to the machine's fixed places stays in here; only the cluster's own directories show through.
exec {run_fd}<"$run" {data_fd}<"$data"
for directory in /run /var/lib /var/log; do mount -t tmpfs node "$directory"; done
mkdir -p "$run" "$data"
mount --no-canonicalize --bind "/proc/self/fd/$run_fd" "$run"
mount --no-canonicalize --bind "/proc/self/fd/$data_fd" "$data"
exec {run_fd}<&- {data_fd}<&-

# The kubelet insists on values for these, and they are the whole machine's: it writes to copies.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  mkdir -p "/run/sysctl/${setting%/*}"
  cat "/proc/sys/$setting" >"/run/sysctl/$setting"
  mount --bind "/run/sysctl/$setting" "/proc/sys/$setting"
done

touch "$run/node-ready"
# Bash reaps the orphans that PID 1 inherits while it waits.
while :; do sleep infinity & wait $!; done
