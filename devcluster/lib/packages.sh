# shellcheck shell=bash
# Debian packages: only what is missing is installed.

# install_missing COMMAND=PACKAGE...
install_missing() {
  local pair packages=()
  for pair; do
    command -v "${pair%=*}" >/dev/null || packages+=("${pair#*=}")
  done
  [[ ${#packages[@]} -gt 0 ]] || return 0
  [[ $EUID -eq 0 ]] || fail "missing programs; as root: apt-get install ${packages[*]}"
  command -v apt-get >/dev/null || fail "missing programs, and this is not Debian: install ${packages[*]}"
  echo "installing ${packages[*]}"
  local output
  output=$({ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } 2>&1) ||
    fail "apt-get could not install ${packages[*]}: $output"
}

install_light_packages() { install_missing openssl=openssl curl=curl ss=iproute2 flock=util-linux pgrep=procps; }

install_node_packages() {
  install_light_packages
  install_missing containerd=containerd runc=runc iptables=iptables conntrack=conntrack ip=iproute2 jq=jq busybox=busybox-static nsenter=util-linux
  [[ -n $(cni_plugins) ]] || install_missing cni-plugins=containernetworking-plugins
  [[ -n $(cni_plugins) ]] || fail "no CNI plugins in /usr/lib/cni or /opt/cni/bin"
}

cni_plugins() {
  local directory
  for directory in /usr/lib/cni /opt/cni/bin; do
    if [[ -x $directory/ptp ]]; then echo $directory; return; fi
  done
}

require_go() {
  local version
  version=$(env -C "$HERE/kube" go env GOVERSION 2>/dev/null) || fail "no Go found: install Go 1.26 or newer (https://go.dev/dl), it builds Kubernetes from its modules"
  [[ $(printf '%s\n' go1.26 "$version" | sort -V | head -n1) == go1.26 ]] || fail "$version is too old to build Kubernetes: install Go 1.26 or newer"
}
