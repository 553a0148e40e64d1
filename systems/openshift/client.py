"""What the pipeline asks an OpenShift (or plain Kubernetes) cluster, one method a question.

Nothing in here changes the cluster: what the cluster shall have comes through the GitOps repository. The only
things created are reviews and tokens (TokenRequest), which leave no object.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import SecretStr

from runbook.cluster_rights import ClusterRight
from runbook.documents import field, mappings_of
from runbook.errors import Conflict, UnexpectedAnswer
from systems.openshift import rights as our_rights
from systems.openshift import stores
from systems.openshift.answers import (
    ExternalSecretState,
    Infrastructure,
    IssuedToken,
    SecretStoreState,
    TokenSecret,
)
from systems.openshift.fields import condition, mapping, text, time
from systems.openshift.kubeconfig import read_kubeconfig
from systems.openshift.transport import SYSTEM, Api, Query, if_allowed

_NAMESPACE = "/api/v1/namespaces/{namespace}"
_ACCOUNT = f"{_NAMESPACE}/serviceaccounts/{{name}}"
_TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105 - a type
_OPERATOR: Query = {"labelSelector": "app.kubernetes.io/name=external-secrets", "limit": 100}


class OpenShift:
    """One cluster, with the credentials of a kubeconfig.

    Args:
        kubeconfig: parsed kubeconfig with everything inline; it is a secret.
        context: a context of it; the current one by default.
        timeout: seconds for one answer.
        source: what holds the kubeconfig, for the reader of an error.
        asks_once: whether what was answered is not asked again: for one short look for many.
        run: id of the flow run that asks.

    Raises:
        InvalidInput: from the constructor; names what is missing or cannot be used.

    Every method raises `NotAuthenticated` (log in again), `AccessDenied` (with the server's sentence),
    `Unreachable`, `Busy`, `CertificateNotTrusted` and `UnexpectedAnswer` as `Api.ask` documents.
    """

    def __init__(
        self,
        kubeconfig: Mapping[str, Any],
        context: str | None = None,
        timeout: float = 10,
        source: str = "the connection",
        *,
        asks_once: bool = False,
        run: str | None = None,
    ) -> None:
        login = read_kubeconfig(kubeconfig, context)
        self.host = login.host
        self.ca_pem = login.ca_pem
        self.proxy = login.proxy
        self._scoped = login.may_be_scoped
        self._api = Api(login, timeout, source, asks_once=asks_once, run=run)

    def __repr__(self) -> str:
        return f"OpenShift({self.host!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def version(self) -> str:
        """The API server's version, such as ``v1.29.6+aba1e8d``."""
        found = text(self._api.ask("version", "/version/"), "gitVersion")
        if not found:
            raise self._api.unexpected("version", "the answer has no gitVersion")
        return found

    def denied(self, rights: Sequence[ClusterRight]) -> tuple[ClusterRight, ...]:
        """Those of ``rights`` that our own credentials do not have, in the order given."""
        return our_rights.denied(self._api, rights, scoped=self._scoped)

    def service_account_can(self, namespace: str, name: str, right: ClusterRight) -> bool | None:
        """Whether a ServiceAccount has a right; None if we may not ask (that needs a right too)."""
        subject = f"right of ServiceAccount {namespace}/{name} to {right}"
        # The groups that the API server itself adds to such a token; RBAC is bound to them as well.
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
        account = {"user": f"system:serviceaccount:{namespace}:{name}", "groups": groups}
        return if_allowed(lambda: our_rights.allowed(self._api, subject, "subject", right, **account))

    def namespace_exists(self, name: str) -> bool:
        """Whether the namespace is there and not being deleted."""
        found = self._stored(f"namespace {name}", _NAMESPACE, namespace=name)
        return found is not None and not field(found, "metadata", "deletionTimestamp")

    def service_account_uid(self, namespace: str, name: str) -> str | None:
        """The ServiceAccount's uid, None if there is no such ServiceAccount."""
        found = self._stored(f"ServiceAccount {namespace}/{name}", _ACCOUNT, namespace=namespace, name=name)
        return None if found is None else text(found, "metadata", "uid")

    def token_secret(self, namespace: str, name: str) -> TokenSecret | None:
        """The token Secret of a ServiceAccount, None if there is no such Secret.

        Its token is None until the cluster has filled it in.

        Raises:
            Conflict: a Secret of that name is there and is no ServiceAccount token.
            UnexpectedAnswer: its token is not base64 of text.
        """
        subject = f"Secret {namespace}/{name}"
        found = self._stored(subject, f"{_NAMESPACE}/secrets/{{name}}", namespace=namespace, name=name)
        if found is None:
            return None
        if text(found, "type") != _TOKEN_SECRET:
            raise Conflict(
                SYSTEM,
                subject,
                f"is of type {text(found, 'type')}, not {_TOKEN_SECRET}",
                "Rename or delete that Secret, or set reviewer_token=token-request.",
            )
        uid = text(found, "metadata", "annotations", "kubernetes.io/service-account.uid")
        return TokenSecret(uid, _token_of(subject, field(found, "data", "token")))

    def _stored(self, subject: str, path: str, **names: str) -> Mapping[str, Any] | None:
        """An object that every cluster can hold; None if it is not there."""
        found = self._api.find(subject, path, names)
        if found is not None and not text(found, "metadata", "uid"):
            raise self._api.unexpected(subject, "the answer is not an object with a uid")
        return found

    def request_token(self, namespace: str, service_account: str, lifetime_seconds: int) -> IssuedToken:
        """A new token of a ServiceAccount (TokenRequest), for the API server's own audience.

        Raises:
            PrerequisiteMissing: there is no such ServiceAccount.
            InvalidInput: the lifetime is not accepted (at least 600 seconds).
        """
        subject = f"token of ServiceAccount {namespace}/{service_account}"
        issued = _issued(
            self._api.ask(
                subject,
                f"{_ACCOUNT}/token",
                {"namespace": namespace, "name": service_account},
                body={"spec": {"audiences": [], "expirationSeconds": lifetime_seconds}},
            )
        )
        if issued is None:
            raise self._api.unexpected(subject, "the answer has no token with its expiry", maybe_done=True)
        return issued

    def key_ids(self) -> frozenset[str] | None:
        """Ids of all keys whose ServiceAccount tokens the cluster believes; None if it does not tell us.

        A cluster may have several: in OpenShift the tokens in Secrets are signed with another key than those
        of TokenRequest. ServiceAccounts may look (``system:service-account-issuer-discovery``).
        """
        found = if_allowed(
            lambda: self._api.find("keys of its tokens", "/openid/v1/jwks", kind_may_be_missing=True)
        )
        return frozenset(str(key.get("kid")) for key in mappings_of(found, "keys")) or None

    def served_versions(self, crd: str) -> tuple[str, ...]:
        """Versions that a CRD serves, such as ``("v1", "v1beta1")``, in the CRD's own order.

        Args:
            crd: full name, ``secretstores.external-secrets.io``.

        Returns:
            Empty while the CRD is absent or not Established.
        """
        found = self._custom("apiextensions.k8s.io", "customresourcedefinitions", crd)
        if found is None or condition(found, "Established").get("status") != "True":
            return ()
        versions = mappings_of(found, "spec", "versions")
        return tuple(str(version.get("name")) for version in versions if version.get("served"))

    def secret_store(self, namespace: str, name: str, version: str) -> SecretStoreState | None:
        """State of a SecretStore; of a ClusterSecretStore for an empty namespace.

        None if it, or its kind in that version, is not there.
        """
        return stores.secret_store(self._api, namespace, name, version)

    def with_events(self, state: SecretStoreState, namespace: str, name: str) -> SecretStoreState:
        """The state of that store, with what its Events tell; arguments as of `secret_store`."""
        return stores.with_events(self._api, state, namespace, name)

    def unsynced_secrets(
        self, namespace: str, store: str, version: str, store_kind: str = "SecretStore"
    ) -> tuple[ExternalSecretState, ...]:
        """The ExternalSecrets of a namespace that use a store and are not Ready, with their Events."""
        return stores.unsynced(self._api, namespace, store, version, store_kind)

    def operator_running(self) -> bool | None:
        """Whether a Deployment that the operator's chart labels has a ready replica; None if we may not look.

        Not that no operator works: one that was made by hand, or runs elsewhere, has no such Deployment.
        """
        subject = "Deployments of External Secrets Operator"
        found = if_allowed(lambda: self._api.ask(subject, "/apis/apps/v1/deployments", query=_OPERATOR))
        if found is None:
            return None
        return any(field(one, "status", "readyReplicas") for one in mappings_of(found, "items"))

    def infrastructure(self) -> Infrastructure | None:
        """Who the cluster says it is; None where ``config.openshift.io`` is not served."""
        found = self._custom("config.openshift.io", "infrastructures", "cluster")
        if found is None:
            return None
        status = mapping(found, "status")
        return Infrastructure(text(status, "infrastructureName"), text(status, "apiServerURL"))

    def ingress_domain(self) -> str | None:
        """Default domain of the cluster's routes; None where ``config.openshift.io`` is not served."""
        found = self._custom("config.openshift.io", "ingresses", "cluster")
        return text(found, "spec", "domain") or None

    def _custom(self, group: str, plural: str, name: str) -> Mapping[str, Any] | None:
        """A cluster-scoped object of a group that a cluster may not serve; None if it is not there."""
        return self._api.find(
            f"{plural}.{group} {name}",
            f"/apis/{group}/v1/{plural}/{{name}}",
            {"name": name},
            kind_may_be_missing=True,
        )


def _issued(answer: Mapping[str, Any]) -> IssuedToken | None:
    # A function of its own: whoever raises must not have the token in a variable, which tracebacks show.
    token, end = text(answer, "status", "token"), time(answer, "status", "expirationTimestamp")
    return IssuedToken(SecretStr(token), end) if token and end else None


def _token_of(subject: str, encoded: Any) -> SecretStr | None:
    if not encoded:
        return None
    try:
        return SecretStr(base64.b64decode(encoded, validate=True).decode("ascii"))
    except (ValueError, TypeError):
        problem = "its token is not base64 of text"  # the cause would quote it
    raise UnexpectedAnswer(SYSTEM, subject, problem, "Delete the Secret; the cluster fills a new one.")
