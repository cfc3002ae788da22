# shellcheck shell=bash
# etcd, kube-apiserver, kube-controller-manager, kube-scheduler.

start_apiserver() {
  local kube etcd=http://127.0.0.1:$ETCD_PORT peer=http://127.0.0.1:$ETCD_PEER_PORT place=()
  kube=$(program kube)
  if [[ -e $RUN/light ]]; then
    place=(--bind-address=127.0.0.1 --endpoint-reconciler-type=none)
  else
    place=(--advertise-address="$API_ADDRESS" --kubelet-preferred-address-types=InternalIP
      --kubelet-client-certificate="$RUN/pki/kubelet-client.crt" --kubelet-client-key="$RUN/pki/kubelet-client.key")
  fi
  start etcd "$kube" etcd --data-dir="$DATA/etcd" --unsafe-no-fsync --quota-backend-bytes=8589934592 \
    --listen-client-urls="$etcd" --advertise-client-urls="$etcd" \
    --listen-peer-urls="$peer" --initial-advertise-peer-urls="$peer" --initial-cluster="default=$peer"
  echo "$etcd" >"$RUN/etcd"
  write_admission_configuration
  start kube-apiserver "$kube" kube-apiserver --etcd-servers="$etcd" --secure-port="$API_PORT" "${place[@]}" \
    --tls-cert-file="$RUN/pki/kube-apiserver.crt" --tls-private-key-file="$RUN/pki/kube-apiserver.key" --client-ca-file="$RUN/pki/ca.crt" \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$RUN/pki/service-accounts.pub" \
    --service-account-signing-key-file="$RUN/pki/service-accounts.key" --service-cluster-ip-range="$SERVICES" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --admission-control-config-file="$RUN/etc/admission.yaml" --allow-privileged=true \
    --audit-policy-file="$HERE/config/audit-policy.yaml" --audit-log-path="$RUN/log/audit.log" --audit-log-maxsize=100000
  write_kubeconfig admin "$RUN/kubeconfig"
}

# Cheaper than kubectl, for waiting.
api_get() { # path
  curl --silent --fail --max-time 2 --noproxy '*' --cacert "$RUN/pki/ca.crt" --cert "$RUN/pki/admin.crt" --key "$RUN/pki/admin.key" \
    "https://$API_ADDRESS:$API_PORT$1"
}

apiserver_ready() { api_get /readyz >/dev/null; }

wait_for_apiserver() {
  wait_until 60 apiserver_ready_or_dead
  alive "$RUN/pids/kube-apiserver" || fail "kube-apiserver has ended, see $RUN/log/kube-apiserver.log"
  apiserver_ready || fail "kube-apiserver is not ready after 60 s, see $RUN/log/kube-apiserver.log"
}
apiserver_ready_or_dead() { apiserver_ready || dead "$RUN/pids/kube-apiserver"; }

start_controller_manager() {
  local without=()
  # Where nothing provisions volumes, tests do: the binder would take back what they say.
  if [[ -e $RUN/light ]]; then without=(--controllers='*,-persistentvolume-binder-controller'); fi
  write_kubeconfig kube-controller-manager "$RUN/etc/kube-controller-manager.kubeconfig"
  start kube-controller-manager "$(program kube)" kube-controller-manager --kubeconfig="$RUN/etc/kube-controller-manager.kubeconfig" \
    --use-service-account-credentials --leader-elect=false --secure-port=0 --root-ca-file="$RUN/pki/ca.crt" \
    --service-account-private-key-file="$RUN/pki/service-accounts.key" \
    --cluster-signing-cert-file="$RUN/pki/ca.crt" --cluster-signing-key-file="$RUN/pki/ca.key" "${without[@]}"
}

start_scheduler() {
  write_kubeconfig kube-scheduler "$RUN/etc/kube-scheduler.kubeconfig"
  start kube-scheduler "$(program kube)" kube-scheduler --kubeconfig="$RUN/etc/kube-scheduler.kubeconfig" --leader-elect=false --secure-port=0
}

# What it remembers of a server is the cluster's own: the next one on the same port has other kinds.
kubectl() {
  NO_PROXY=$API_ADDRESS "$(program kube)" kubectl --kubeconfig "$RUN/kubeconfig" --cache-dir "$DATA/kubectl" "$@"
}
