# shellcheck shell=bash
# Programs are built from pinned Go modules into the cache, under a key of everything that decides their content.

readonly GO_FLAGS='-trimpath -ldflags'

module_version() { sed -nE "s#^(require)?[[:space:]]*$1 (v[^ ]+)( // indirect)?\$#\2#p" "$HERE/$2/go.mod"; }

linker_flags() { # program
  echo -n "-s -w"
  [[ $1 == kube ]] || return 0
  # Without these the server calls itself v0.0.0.
  local version package=k8s.io/component-base/version
  version=$(module_version k8s.io/kubernetes kube)
  echo -n " -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
  echo -n " -X $package.gitTreeState=clean -X $package.buildDate=1970-01-01T00:00:00Z"
}

# The path of a program (kube, coredns or flux) in the cache, built or not.
program() {
  local key
  key=$({ (shopt -s nullglob; cat "$HERE/$1"/{go.mod,go.sum} "$HERE/$1"/*.go); echo "$GO_FLAGS $(linker_flags "$1")"; } | sha256sum | cut -c1-16)
  echo "$CACHE/$key/$1"
}

# The built kubectl, against whatever cluster the environment names.
client() {
  local kube; kube=$(program kube)
  [[ -x $kube ]] || fail "kubectl is not built yet: install one, or build it with: devcluster build --light"
  exec "$kube" kubectl "$@"
}

# What is compiled: a main of ours, or the one that go.mod names as a tool.
main_package() { # program
  if [[ -e $HERE/$1/main.go ]]; then echo .; else sed -n 's/^tool //p' "$HERE/$1/go.mod"; fi
}

build() { # light or nothing, flux or nothing
  install_light_packages
  build_program kube "Kubernetes $(module_version k8s.io/kubernetes kube)" "about 6 minutes on two idle cores"
  [[ -z $2 ]] || build_flux
  [[ -z $1 ]] || return 0
  install_node_packages
  build_program coredns "CoreDNS $(module_version github.com/coredns/coredns coredns)" "about 1 minute"
  build_base_images
}

build_program() { # program title duration
  local target; target=$(program "$1")
  [[ ! -x $target ]] || return 0
  require_go
  with_lock "$1" build_program_locked "$target" "$@"
}

build_program_locked() { # target program title duration
  local target=$1 program=$2
  [[ ! -x $target ]] || return 0
  mkdir -p "$(dirname "$target")"
  with_progress "building $3, $4" "${target%/*}.log" \
    env -C "$HERE/$program" CGO_ENABLED=0 go build -trimpath -ldflags "$(linker_flags "$program")" -o "$target.partial" "$(main_package "$program")"
  mv "$target.partial" "$target"
  find "$CACHE" -mindepth 2 -maxdepth 2 -name "$program" -mtime +30 -delete
  rm -f "${target%/*}.log"
}

# with_lock NAME COMMAND...: one at a time on this machine
with_lock() {
  local name=$1 lock; shift
  mkdir -p "$CACHE"
  exec {lock}>"$CACHE/$name.lock"
  flock --nonblock "$lock" || { echo "waiting for another build of $name"; flock "$lock"; }
  "$@"
  exec {lock}>&-
}

# with_progress MESSAGE LOG COMMAND...: says every 20 s that it lives, shows the log's end where it fails
with_progress() {
  local message=$1 log=$2 pid; shift 2
  echo "$message"
  "$@" >"$log" 2>&1 &
  pid=$! SECONDS=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    ((SECONDS % 20)) || echo "  ... $SECONDS s"
  done
  wait "$pid" || { tail -n 20 "$log" >&2; fail "$message: failed, see $log"; }
  echo "  done in $SECONDS s"
}
