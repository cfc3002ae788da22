# shellcheck shell=bash
# One authority a cluster, a certificate a component, and an authority of its own for what the apiserver shows to webhooks;
# they live as long as the cluster.

create_certificates() {
  local names=DNS:localhost,IP:127.0.0.1 service
  for service in kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local; do names+=,DNS:$service; done
  (
    cd "$RUN/pki"
    authority ca komputer-devcluster
    authority webhook-clients-ca komputer-devcluster-webhook-clients
    new_key service-accounts; openssl pkey -in service-accounts.key -pubout -out service-accounts.pub
    certificate admin /O=system:masters/CN=admin
    certificate webhook-client /CN=kube-apiserver '' webhook-clients-ca
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

authority() { # file name
  new_key "$1"
  openssl req -x509 -key "$1.key" -out "$1.crt" -days 365 -subj "/CN=$2"
}

certificate() { # file subject [names] [authority]
  new_key "$1"
  openssl req -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA "${4:-ca}.crt" -CAkey "${4:-ca}.key" -days 365 -out "$1.crt" \
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

# What the apiserver shows to admission webhooks; those of conversion are shown nothing.
write_admission_configuration() {
  cat >"$RUN/etc/webhook-client.kubeconfig" <<YAML
apiVersion: v1
kind: Config
users: [{name: '*', user: {client-certificate: $RUN/pki/webhook-client.crt, client-key: $RUN/pki/webhook-client.key}}]
YAML
  cat >"$RUN/etc/admission.yaml" <<YAML
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionWebhook
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: $RUN/etc/webhook-client.kubeconfig
YAML
}
