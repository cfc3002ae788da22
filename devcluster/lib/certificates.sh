# shellcheck shell=bash
# One authority a cluster, a certificate a component; they live as long as the cluster.

create_certificates() {
  local names=DNS:localhost,IP:127.0.0.1 service
  for service in kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local; do names+=,DNS:$service; done
  (
    cd "$RUN/pki"
    new_key ca; openssl req -x509 -key ca.key -out ca.crt -days 365 -subj /CN=komputer-devcluster
    new_key service-accounts; openssl pkey -in service-accounts.key -pubout -out service-accounts.pub
    certificate admin /O=system:masters/CN=admin
    certificate kube-controller-manager /CN=system:kube-controller-manager
    if [[ -e $RUN/light ]]; then
      certificate kube-apiserver /CN=kube-apiserver "$names"
    else
      certificate kube-apiserver /CN=kube-apiserver "$names,IP:$API_ADDRESS,IP:$API_SERVICE"
      certificate kube-scheduler /CN=system:kube-scheduler
      certificate kube-proxy /CN=system:kube-proxy
      certificate kubelet "/O=system:nodes/CN=system:node:$NAME" "DNS:$NAME,IP:$API_ADDRESS"
      certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
    fi
  ) 2>"$RUN/log/certificates.log" || fail "openssl could not create the certificates: $(cat "$RUN/log/certificates.log")"
}

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }

certificate() { # file subject [names]
  new_key "$1"
  openssl req -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -days 365 -out "$1.crt" \
      -extfile <(printf 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n%s' "${3:+subjectAltName=$3}")
}

# write_kubeconfig USER FILE: whole, so that it can be copied elsewhere
write_kubeconfig() {
  cat >"$2" <<YAML
apiVersion: v1
kind: Config
current-context: $NAME
clusters: [{name: $NAME, cluster: {server: "https://$API_ADDRESS:$API_PORT", certificate-authority-data: $(base64 -w0 "$RUN/pki/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$RUN/pki/$1.crt"), client-key-data: $(base64 -w0 "$RUN/pki/$1.key")}}]
contexts: [{name: $NAME, context: {cluster: $NAME, user: $1}}]
YAML
}
