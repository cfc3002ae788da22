# shellcheck shell=bash
# Where everything lies. RUN holds configuration, keys, logs and sockets; DATA what may grow.

CACHE=${KOMPUTER_CACHE:-$HOME/.cache/komputer}/devcluster
if [[ $EUID -eq 0 ]]; then
  RUNS=${KOMPUTER_RUN:-/run/komputer}
  DATA_ROOT=${KOMPUTER_DATA:-/var/lib/komputer}
else
  RUNS=${KOMPUTER_RUN:-${XDG_RUNTIME_DIR:-/tmp/run-$EUID}/komputer}
  DATA_ROOT=${KOMPUTER_DATA:-${XDG_STATE_HOME:-$HOME/.local/state}/komputer}
fi

fail() { echo "devcluster: $*" >&2; exit 1; }

use_name() {
  [[ $1 =~ ^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$ ]] ||
    fail "the name '$1' is not usable: at most 40 of a-z, 0-9 and '-', starting and ending with a letter or digit"
  NAME=$1 RUN=$RUNS/$1 DATA=$DATA_ROOT/$1
}
use_name dev

# Everything numbered in a cluster follows from its index: ports of a light one, networks of a full one.
use_index() {
  INDEX=$1
  ETCD_PORT=$((21000 + 3 * INDEX)) ETCD_PEER_PORT=$((21001 + 3 * INDEX)) API_PORT=$((21002 + 3 * INDEX))
  if [[ -e $RUN/light ]]; then
    API_ADDRESS=127.0.0.1
    SERVICES=10.203.0.0/20
    ENTER=()
  else
    HOST_ADDRESS=10.201.$INDEX.1 API_ADDRESS=10.201.$INDEX.2 API_PORT=6443
    PODS=10.202.$((16 * INDEX)).0/20
    SERVICES=10.203.$((16 * INDEX)).0/20 DNS_ADDRESS=10.203.$((16 * INDEX)).10 API_SERVICE=10.203.$((16 * INDEX)).1
    LINK=komputer$INDEX
  fi
}
# Where slirp4netns answers for the machine's name servers.
readonly INTERNET_DNS=10.0.2.3
# Indexes below the first are of full clusters, from there to the second of light ones.
readonly FULL_CLUSTERS=16 LIGHT_CLUSTERS=3000
