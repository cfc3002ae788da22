# shellcheck shell=bash
# Each cluster's pods live below /komputer/<name>, in every hierarchy of cgroup v1 or in the one of v2.

cgroup_roots() {
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    echo /sys/fs/cgroup
  else
    awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/mounts
  fi
}

create_cgroups() {
  local root directory file
  for root in $(cgroup_roots); do
    for directory in "$root/komputer" "$root/komputer/$NAME"; do
      mkdir -p "$directory"
      for file in cpuset.cpus cpuset.mems; do # v1 leaves a new cpuset empty, and nothing can run in it
        [[ ! -e $root/cpuset.sched_load_balance ]] || cat "$root/$file" >"$directory/$file"
      done
    done
    if [[ -e $root/cgroup.controllers && $root != */unified ]]; then
      for directory in "$root" "$root/komputer" "$root/komputer/$NAME"; do
        sed 's/\(^\| \)\([a-z]\)/\1+\2/g' "$directory/cgroup.controllers" >"$directory/cgroup.subtree_control"
      done
    fi
  done
}

remove_cgroups() {
  wait_until 10 try_to_remove_cgroups || fail "cgroups of '$NAME' are still in use: $(cgroup_roots | sed "s|\$|/komputer/$NAME|" | xargs -r ls -d 2>/dev/null)"
  local root
  for root in $(cgroup_roots); do rmdir "$root/komputer" 2>/dev/null || true; done
}

try_to_remove_cgroups() {
  local root removed=0
  for root in $(cgroup_roots); do
    [[ ! -d $root/komputer/$NAME ]] || find "$root/komputer/$NAME" -depth -type d -exec rmdir {} + 2>/dev/null || removed=1
  done
  return $removed
}
