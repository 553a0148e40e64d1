"""The closed set of causes, in the order in which the questions are asked."""

from __future__ import annotations

from functools import partial

from runbook.application_names import INSTALLING, RESOURCES
from runbook.diagnosis import remedies
from runbook.diagnosis.cause import Entry, Kind
from runbook.diagnosis.remedies import REVIEWER, SECRET
from runbook.names import AUTH_DELEGATOR

_vault = partial(Entry, "Vault")
_cluster = partial(Entry, "OpenShift")
_session = partial(_vault, blocks="session")
_store = partial(_cluster, "{kind} {store}", blocks="store")
_host = partial(_cluster, "{host}")
_token_to_write = partial(_cluster, "reviewer's token ({source})", remedy=remedies.NEW_SECRET)


class Causes(Kind):
    """Fields that are more than a name:

    ``command`` is one for an administrator, ``source`` of the token to write is `SECRET` or `NEW_TOKEN`,
    ``record`` what we kept of the JWT that we wrote, ``because`` how we know that it is not the culprit,
    ``instead`` what a session carries, ``seen`` the condition of an object of the operator's, ``event`` the
    operator's last word on it.
    """

    # What Vault meets before it asks the cluster: in its own objects, and in the client's token
    VAULT_UNREACHABLE = _vault(
        "{address}",
        "does not answer this worker ({why})",
        "Check address and ca_cert of the VaultConnection, and that this worker can reach Vault.",
        vault_says="",
    )
    VAULT_SEALED = _vault("{address}", "is sealed", "Ask Vault's operators to unseal it.", vault_says="")
    MOUNT_MISSING = _vault("auth/{mount}", "is not enabled", remedies.ENABLE_AGAIN)
    MOUNT_OF_ANOTHER_TYPE = _vault(
        "auth/{mount}",
        "is an auth method of type {type}, not kubernetes",
        "Ask its owner to move it: the cluster needs this path. Then run enable-cluster.",
        vault_says="",
    )
    ROLE_MISSING = _vault(
        "auth/{mount}/role/{role}",
        "is not there; roles of this mount: {there}",
        remedies.ENABLE_AGAIN,
        vault_says="invalid role name",
    )
    ROLE_BINDS_ANYBODY = _vault(
        "{role}",
        "may let anybody's ServiceAccount log in: {unlisted}",
        "Find out who wrote that, and ask a Vault administrator to bind the intended names and namespaces: "
        "{command}.",
        blocks="nothing",
    )
    ADDRESS_NOT_ALLOWED = _vault(
        "{role}",
        "accepts logins only from {allowed} (token_bound_cidrs); "
        "those of this worker come from {ours}, unless they pass a NAT",
        "Add the addresses of the cluster's nodes and of this worker to token_bound_cidrs, or clear it: "
        "`vault write {role} token_bound_cidrs=`.",
    )
    CONFIG_NEVER_WRITTEN = _vault(
        "auth/{mount}/config",
        "was never written",
        remedies.ENABLE_AGAIN,
        vault_says="could not load backend configuration",
    )
    CONFIG_OF_OTHERS_DECIDES = _vault(
        "auth/{mount}/config", "has {fields}, which no run sets", remedies.CLEARED_BY_AN_ADMINISTRATOR
    )
    """By these Vault believes or refuses tokens."""
    CONFIG_OF_OTHERS = _vault(
        "auth/{mount}/config",
        "has {fields}, which no run sets",
        remedies.CLEARED_BY_AN_ADMINISTRATOR,
        blocks="nothing",
    )
    NAMESPACE_MISSING = _cluster(
        "namespace {namespace}",
        "is not there",
        f"In ArgoCD, sync {RESOURCES}, or correct `namespaces`.",
        vault_says="",
    )
    STARTER_MISSING = _cluster("ServiceAccount {account}", "is not there", remedies.COMES_WITH_THE_CHANGE)
    STARTER_REMADE = _cluster(
        "ServiceAccount {account}",
        "was deleted and recreated: its uid is {uid}, that in the client's token is {token_uid}",
        "Retry: a new token belongs to the new ServiceAccount. If this stays, find out who recreates it.",
    )
    CLIENT_TOKEN_EXPIRED = _cluster(
        "token of {account}",
        "expired at {ended} UTC; Vault's clock says {vault_clock}",
        "Request a new token; if that is expired too, set the clocks of cluster and Vault.",
        vault_says="token is expired",
    )
    AUDIENCE_NOT_IN_TOKEN = _vault(
        "{role}",
        "requires the audience {audience!r}; the client's token is for {token_audiences}",
        "Clear it: `vault write {role} audience=`; or, if it is intended, add it to "
        "serviceAccountRef.audiences of the SecretStore.",
        vault_says="invalid audience",
    )
    NAME_NOT_BOUND = _vault(
        "{role}",
        "does not bind the ServiceAccount name {name}; it binds: {bound}",
        "Run enable-cluster with service_account={name}: it adds the name and keeps the others.",
        vault_says="service account name not authorized",
    )
    NAMESPACE_NOT_BOUND = _vault(
        "{role}",
        "does not bind the namespace {namespace}; it binds: {bound}",
        "Run enable-cluster with {namespace} in namespaces: it adds it and keeps the others.",
        vault_says="namespace not authorized",
    )
    CONFIG_DIFFERS = _vault(
        "auth/{mount}/config",
        "differs from the ClusterConnection: {differences}; no token was sent there, "
        "and logins that still work fail when Vault reconnects",
        "Run enable-cluster again: it plans and repairs the config of a mount that is ours. If Vault's "
        "config is right, correct host_for_vault and ca_cert_for_vault of the ClusterConnection instead.",
    )
    REVIEWER_JWT_NOT_SET = _vault(
        "auth/{mount}/config",
        "has no reviewer JWT, so Vault calls TokenReview with the client's own token",
        remedies.ENABLE_AGAIN,
    )

    # The way to the cluster's review, as seen from where the pipeline runs: Vault may sit in another network
    HOST_UNREACHABLE = _host(
        "kubernetes_host of Vault's config does not answer this worker ({why})",
        "Try it from where Vault runs. If it does not answer there either, correct firewall or DNS, or "
        "correct host_for_vault of the ClusterConnection and run enable-cluster again.",
    )
    HOST_HANGS = _host(
        "kubernetes_host of Vault's config hangs: no TLS answer to this worker in {seconds} s",
        "Look for a firewall that drops packets, or a load balancer without a live API server behind it; "
        "try it from where Vault runs.",
    )
    HOST_SPEAKS_NO_TLS = _host(
        "kubernetes_host of Vault's config points, from this worker, to a server that does not speak TLS",
        remedies.POINT_VAULT,
    )
    HOST_NOT_IN_CERTIFICATE = _host(
        "kubernetes_host of Vault's config is not in the API server's certificate, which is for {names}",
        "Set host_for_vault of the ClusterConnection to one of these names, and run enable-cluster again.",
        outlives_a_login=True,
    )
    CA_DID_NOT_SIGN = _host(
        "the certificate that this worker sees was not signed by kubernetes_ca_cert of Vault's config",
        "Put the CA that signed the API server's certificate into ca_cert_for_vault of the "
        "ClusterConnection, and run enable-cluster again.",
        outlives_a_login=True,
    )
    CERTIFICATE_OUT_OF_DATE = _host(
        "the API server's certificate is not valid now ({problem})",
        "Ask a cluster administrator to renew it, and compare the clocks.",
        outlives_a_login=True,
    )
    HOST_OF_ANOTHER_CLUSTER = _host(
        "kubernetes_host of Vault's config points, from this worker, to a cluster that refuses the "
        "reviewer's token, which {ours} accepts",
        remedies.POINT_VAULT,
    )

    # The reviewer. Its token in Vault cannot be read by anybody; what can be looked at is the one that a run
    # would write now. Where that one is bad, writing it again would not help.
    REVIEWER_MISSING = _cluster(
        f"ServiceAccount {REVIEWER}",
        "is not there, so the API server refuses its reviewer JWT in Vault",
        remedies.OPERATOR_THEN_ENABLE,
    )
    REVIEWER_MAY_NOT_REVIEW = _cluster(
        f"ServiceAccount {REVIEWER}",
        f"may not create tokenreviews: it is not bound to {AUTH_DELEGATOR}",
        f"In ArgoCD, sync {INSTALLING}; it brings the ClusterRoleBinding.",
    )
    REVIEWER_SECRET_MISSING = _cluster(
        SECRET, "is not there; a token of it in Vault is no longer valid", remedies.OPERATOR_THEN_ENABLE
    )
    REVIEWER_SECRET_EMPTY = _cluster(
        SECRET,
        "has no token: the cluster has not filled it",
        f"Check that ServiceAccount {REVIEWER} is there, wait a few seconds, and run enable-cluster again.",
    )
    REVIEWER_TOKEN_GARBAGE = _token_to_write("is not a JWT")
    REVIEWER_TOKEN_STILL_BASE64 = _token_to_write("is still base64: the JWT was encoded twice")
    REVIEWER_TOKEN_EXPIRED = _token_to_write("expired at {ended} UTC")
    REVIEWER_TOKEN_OF_SOMEBODY_ELSE = _token_to_write(f"belongs to {{account}}, not to {REVIEWER}")
    REVIEWER_TOKEN_OF_ANOTHER_CLUSTER = _token_to_write(
        "was not signed by this cluster, which refuses it (issuer {issuer}, key unknown to the cluster)"
    )
    REVIEWER_TOKEN_OF_WRONG_AUDIENCE = _token_to_write("is for {audiences}; the API server wants {wanted}")
    REVIEWER_TOKEN_OF_FORMER_ACCOUNT = _token_to_write(
        f"belongs to a deleted ServiceAccount: its uid is {{token_uid}}, that of {REVIEWER} is now {{uid}}"
    )
    REVIEWER_TOKEN_REFUSED = _token_to_write(
        "is refused by the API server ({words}), though its claims are right"
    )
    CLIENT_TOKEN_REFUSED = _cluster(
        "token of {account}",
        "is refused by the API server that Vault asks: {words}",
        "Ask a cluster administrator why the cluster refuses a token that it has just issued.",
    )

    # What is left where a review would succeed
    ENTITY_DISABLED = _vault(
        "identity/entity/name/{entity}",
        "is disabled, so each login of {login} is refused",
        "Find out who disabled it and why; then `vault write identity/entity/name/{entity} disabled=false`.",
    )
    BEYOND_OUR_SIGHT = _vault(
        "login of {login}",
        "is refused, though all that we can check is right and the API server accepts the reviewer JWT of "
        "{record}. So Vault does not reach {host}, or the ServiceAccount's entity is disabled "
        "in Vault, or somebody has written another JWT since",
        f"{remedies.ASK_VAULT} If it is neither, run enable-cluster again: it writes the reviewer's present "
        "token.",
    )
    NOT_THE_REVIEWER_JWT = _vault(
        "login of {login}",
        "is refused, but not because of the reviewer JWT: {because}. Either Vault does not reach "
        "{host}, or the ServiceAccount's entity is disabled in Vault",
        f"Another run would change nothing. {remedies.ASK_VAULT}",
    )
    REVIEWER_JWT_NOT_ACCEPTED = _vault(
        "auth/{mount}/config",
        "the API server most likely refuses Vault's reviewer JWT; all else that we can check is right; "
        "{record}",
        "Run enable-cluster again: it writes the reviewer's present token, which is accepted. If the login "
        "is still refused, it is not the JWT: run diagnose-cluster again, which then says what is left.",
    )
    LOGIN_NOT_TRIED = _cluster(
        "login of {account}",
        "was not tried: {why}",
        "Check address and credentials of the ClusterConnection, its right to request tokens, and the right "
        "of the VaultConnection to read the mount's config.",
        vault_says="",
    )
    CAUSE_NOT_FOUND = _vault(
        "login of {login}",
        "{words}, and all that could be checked is right{not_known}",
        "Give the pipeline the rights to check these, or check them yourself; see the table.",
        vault_says="",
    )

    # The session of a login that works
    POLICY_NOT_HANDED_OUT = _session(
        "{role}",
        "hands out {instead}, not {policy}",
        "If {policy} is right: `vault write {role} token_policies={ours}`; "
        "else choose the policy_scope that fits.",
    )
    POLICY_MISSING = _session(
        "policy {policy}",
        "is not there, so it grants nothing, though the role hands it out",
        remedies.ENABLE_AGAIN,
    )
    POLICY_LACKS_RULE = _session(
        "policy {policy}",
        "does not let a session read {path}",
        "Compare `vault policy read {policy}` with the rule in the plan of enable-cluster; another "
        "policy of the session may also deny the path.",
    )
    SESSION_READS_TOO_MUCH = _session(
        "session of {account}",
        "may read {path}, which must be forbidden; its policies: {policies}",
        "Find which of these policies grants it, and narrow it or remove it from the role.",
    )
    SECRETS_MOUNT_MISSING = _session(
        "{mount}/",
        "is not enabled, so there is nothing to read",
        "Enable it: `vault secrets enable -path={mount} -version=2 kv`.",
    )

    # The operator
    STORE_NOT_READY = _store(
        "is not Ready: {seen}{event}",
        "The login works from this worker. Check that the operator runs, and reaches Vault's address with "
        "its CA.",
    )
    STORE_DIFFERS = _store(
        "{differences} (it says: {seen})",
        "Correct it in the cluster's overlay of the GitOps repository and sync; or, if it is right, correct "
        "address_for_clusters and ca_cert_for_clusters of the VaultConnection, or the conventions.",
    )
    STORE_MISSING = _store(
        "is not there, or not in a version that the cluster serves", remedies.COMES_WITH_THE_CHANGE
    )
    EXTERNAL_SECRET_NOT_SYNCED = _cluster(
        "ExternalSecret {secret}",
        "is not synced: {seen}{event}",
        "Compare its remoteRef.key with what is in Vault, below the cluster's own path.",
        blocks="secret",
    )
