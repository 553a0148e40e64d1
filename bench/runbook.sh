#!/usr/bin/env bash
# Steps 5 to 10 as the runbook has them, with `bao` in place of `vault` and `kubectl` in place of `oc`.
#
# Mended, because it would not get through otherwise: canonical_id is the group's own id, the CA is part of
# the config, the reviewer's token comes from a named Secret and the starter's from `create token`. Tokens go
# through pipes: in arguments every user of the machine could read them.
#
#   runbook.sh ENV CLUSTER NAMESPACE SERVICE_ACCOUNT
set -euo pipefail
env=$1 cluster=$2 namespace=$3 service_account=$4
mount="${cluster}-k8s"

bao policy write "${env}-kv-r" - <<EOF
path "k8s_secrets/data/${env}/*" {
  capabilities = ["read", "list"]
}
EOF
bao policy write "${env}-kv-rw" - <<EOF
path "k8s_secrets/data/${env}/*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
path "k8s_secrets/*" {
  capabilities = ["list"]
}
path "k8s_secrets/metadata/${env}/*" {
  capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"]
}
EOF

bao write identity/group name="vault-admins-${env}" type=external policies="${env}-kv-rw" \
  metadata=responsibility="Vault ${env} Admin"
accessor=$(bao read -field=accessor sys/auth/oidc)
group=$(bao read -field=id "identity/group/name/vault-admins-${env}")
bao write identity/group-alias name="vault-admins-${env}" mount_accessor="$accessor" canonical_id="$group"

bao auth enable -path="$mount" kubernetes
host=$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
read -r ca token < <(kubectl -n external-secrets-operator get secret eso-vault-auth-token \
  -o 'jsonpath={.data.ca\.crt} {.data.token}{"\n"}')
base64 -d <<<"$token" | bao write "auth/${mount}/config" token_reviewer_jwt=- kubernetes_host="$host" \
  kubernetes_ca_cert="$(base64 -d <<<"$ca")" disable_local_ca_jwt=true

bao write "auth/${mount}/role/${env}-ops" alias_name_source=serviceaccount_uid \
  bound_service_account_names="$service_account" bound_service_account_namespaces="$namespace" \
  token_policies="${env}-kv-r" token_ttl=1h

# As `create token` does, in JSON: it writes protobuf, which the sandbox's cluster does not read.
request='{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":600}}'
account="/api/v1/namespaces/${namespace}/serviceaccounts/${service_account}"
BAO_TOKEN=$(kubectl create --raw "${account}/token" --filename - <<<"$request" |
  sed -E 's/.*"token":"([^"]+)".*/\1/' |
  bao write -field=token "auth/${mount}/login" role="${env}-ops" jwt=-)
export BAO_TOKEN
answer=$(bao read "k8s_secrets/data/${env}/${cluster}/probe" 2>&1 || true)
[[ $answer == *"No value found"* ]]
answer=$(bao read "k8s_secrets/data/not-${env}/probe" 2>&1 || true)
[[ $answer == *"permission denied"* ]]
bao token revoke -self
