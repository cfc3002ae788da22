# shellcheck shell=bash
# A node lives in namespaces of its own; a veth pair joins it to the machine, and two routes lead to its pods and services.

# Which indexes are free is decided under a lock: see claim.
index_is_free() { # index; RUN/light says which kind
  local network ports
  use_index "$1"
  if [[ -e $RUN/light ]]; then
    ports=$(ss --listening --tcp --numeric --no-header | awk '{sub(/.*:/, "", $4); print $4}')
    ! grep -qxE "$ETCD_PORT|$ETCD_PEER_PORT|$API_PORT" <<<"$ports"
  else
    for network in "$HOST_ADDRESS/24" "$PODS" "$SERVICES"; do
      [[ -z $(ip -4 route list root "${network%.*}.0/${network#*/}") ]] || return 1
    done
  fi
}

join_network() {
  ip link add "$LINK" type veth peer name eth0 netns "$NODE_PID"
  ip address add "$HOST_ADDRESS/24" dev "$LINK"
  ip link set "$LINK" up
  "${ENTER[@]}" bash -euc "
    ip link set lo up
    ip address add $API_ADDRESS/24 dev eth0
    ip link set eth0 up
    echo 1 >/proc/sys/net/ipv4/ip_forward"
  ip route add "$PODS" via "$API_ADDRESS"
  ip route add "$SERVICES" via "$API_ADDRESS"
  if [[ -e $RUN/internet ]]; then join_internet; else "${ENTER[@]}" ip route add default via "$HOST_ADDRESS"; fi
}

# A network stack in user space, so that the machine neither forwards nor translates addresses.
join_internet() {
  setsid slirp4netns --configure --mtu=65520 --disable-host-loopback "$NODE_PID" tap0 </dev/null >"$RUN/log/internet.log" 2>&1 &
  process_mark $! >"$RUN/internet"
  wait_until 10 has_internet || fail "the way to the internet did not come up: $(cat "$RUN/log/internet.log")"
  "${ENTER[@]}" iptables -t nat -A POSTROUTING -s "$PODS" -o tap0 -j MASQUERADE
}
has_internet() { [[ -n $("${ENTER[@]}" ip route show default) ]]; }

# Point-to-point links need no bridge, hence no bridge netfilter in the kernel.
write_cni_config() {
  cat >"$RUN/cni/10-pods.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "komputer", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "dataDir": "$RUN/ipam", "ranges": [[{"subnet": "$PODS"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
}
