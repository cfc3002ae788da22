# shellcheck shell=bash
# The node: its namespaces, containerd, kubelet, kube-proxy, CoreDNS and the provisioner of volumes.

create_node() {
  setsid unshare --net --mount --pid --fork --kill-child --mount-proc bash "$HERE/lib/init.sh" "$RUN" "$DATA" </dev/null >"$RUN/log/node.log" 2>&1 &
  process_mark $! >"$RUN/node"
  wait_until 10 test -e "$RUN/node-ready" || fail "the node's namespaces were not created: $(cat "$RUN/log/node.log")"
  enter_node
}

# Sets NODE_PID and ENTER from the node that runs.
enter_node() {
  NODE_PID=$(pgrep -P "$(cut -d' ' -f1 "$RUN/node")")
  ENTER=(nsenter --target "$NODE_PID" --net --mount --pid --wdns=/ --)
}

start_containerd() {
  cat >"$RUN/etc/containerd.toml" <<TOML
version = 2
root = "$DATA/containerd"
state = "$RUN/containerd"
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$DATA/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:dev"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$(cni_plugins)"
    conf_dir = "$RUN/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
TOML
  write_cni_config
  start containerd containerd --config "$RUN/etc/containerd.toml"
}

containerd_ready() { ctr --address "$1" version >/dev/null 2>&1; }

start_kubelet() {
  write_kubeconfig kubelet "$RUN/etc/kubelet.kubeconfig"
  # Programs of the node resolve nothing by name.
  : >"$RUN/etc/resolv.conf"
  cat >"$RUN/etc/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: /komputer/$NAME
containerRuntimeEndpoint: unix://$RUN/containerd.sock
podLogsDir: $DATA/pod-logs
volumePluginDir: $DATA/kubelet/volume-plugins
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 64Mi, nodefs.available: 1%, nodefs.inodesFree: 1%}
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $RUN/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $RUN/pki/kubelet.crt
tlsPrivateKeyFile: $RUN/pki/kubelet.key
clusterDNS: [$DNS_ADDRESS]
clusterDomain: cluster.local
resolvConf: $RUN/etc/resolv.conf
maxPods: 500
featureGates: {KubeletCrashLoopBackOffMax: true}
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
YAML
  start kubelet "$(program kube)" kubelet --config="$RUN/etc/kubelet.yaml" --kubeconfig="$RUN/etc/kubelet.kubeconfig" \
    --hostname-override="$NAME" --node-ip="$API_ADDRESS" --root-dir="$DATA/kubelet"
}

start_proxy() {
  write_kubeconfig kube-proxy "$RUN/etc/kube-proxy.kubeconfig"
  # The connection tracking limits are the whole machine's: zero leaves them alone.
  cat >"$RUN/etc/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $PODS
hostnameOverride: $NAME
clientConnection: {kubeconfig: $RUN/etc/kube-proxy.kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
  start kube-proxy "$(program kube)" kube-proxy --config="$RUN/etc/kube-proxy.yaml"
}

start_dns() {
  cat >"$RUN/etc/Corefile" <<COREFILE
.:53 {
  bind $API_ADDRESS
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $RUN/kubeconfig
  }
  cache 5
$([[ ! -e $RUN/internet ]] || echo "  forward . $INTERNET_DNS")
}
COREFILE
  start coredns "$(program coredns)" -conf "$RUN/etc/Corefile"
}

start_storage() {
  mkdir -p "$DATA/volumes"
  start storage "$(program kube)" storage --kubeconfig="$RUN/kubeconfig" --directory="$DATA/volumes"
}

# Outside of pods run the DNS server and the provisioner; these objects make them the cluster's.
apply_node_objects() {
  kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {clusterIP: $DNS_ADDRESS, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
endpoints: [{addresses: [$API_ADDRESS], conditions: {ready: true}}]
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: komputer.ai/directory
volumeBindingMode: WaitForFirstConsumer
reclaimPolicy: Delete
YAML
}

node_ready() { api_get "/api/v1/nodes/$NAME" | jq -e '.status.conditions[] | select(.type == "Ready").status == "True"' >/dev/null; }

has_service_account() { api_get /api/v1/namespaces/default/serviceaccounts/default >/dev/null; }
