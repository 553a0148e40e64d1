"""What the pipeline asks an OpenShift (or plain Kubernetes) cluster, one method a question.

Nothing in here changes the cluster: what the cluster shall have comes through the GitOps repository. The only
things created are access reviews and tokens (TokenRequest), which leave no object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from pydantic import SecretStr

from runbook.errors import AccessDenied, UnexpectedAnswer
from systems.openshift.answers import (
    Access,
    Infrastructure,
    IssuedToken,
    SecretStoreState,
    TokenSecret,
)
from systems.openshift.fields import condition, items, mapping, text, time
from systems.openshift.kubeconfig import read_kubeconfig
from systems.openshift.token_secrets import metadata_of, read_token_secret
from systems.openshift.transport import SYSTEM, Api, path_of

_OPERATOR_LABEL = "app.kubernetes.io/name=external-secrets"


class OpenShift:
    """One cluster, with the credentials of a kubeconfig.

    Args:
        kubeconfig: parsed kubeconfig with everything inline; it is a secret.
        context: a context of it; the current one by default.
        timeout: seconds for one answer.

    Raises:
        InvalidInput: from the constructor; names what is missing or cannot be used.

    Every method raises `AccessDenied` (401: log in again; 403: the server's sentence), `Unreachable`, `Busy`,
    `CertificateNotTrusted` and `UnexpectedAnswer` as `Api.ask` documents. The library's own retries are off:
    Prefect retries the step.
    """

    def __init__(
        self, kubeconfig: Mapping[str, Any], context: str | None = None, timeout: float = 10
    ) -> None:
        login = read_kubeconfig(kubeconfig, context)
        self.host = login.host
        self.ca_pem = login.ca_pem
        self._api = Api(login, timeout)

    def __repr__(self) -> str:
        return f"OpenShift({self.host!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def version(self) -> str:
        """The API server's version, such as ``v1.29.6+aba1e8d``."""
        found = text(self._api.ask("version", "GET", path_of("version", "")), "gitVersion")
        if not found:
            raise UnexpectedAnswer(
                SYSTEM,
                "version",
                "the answer holds no gitVersion",
                f"Check that {self.host} is the API server.",
            )
        return found

    def denied(self, accesses: Sequence[Access]) -> tuple[Access, ...]:
        """Those of ``accesses`` that our own credentials do not have, in the order given."""
        return tuple(access for access in accesses if not self._allowed(access))

    def _allowed(self, access: Access) -> bool:
        return self._review(
            f"our right to {access}",
            "selfsubjectaccessreviews",
            {"resourceAttributes": access.attributes},
        )

    def _review(self, subject: str, kind: str, spec: Mapping[str, Any]) -> bool:
        answer = self._api.ask(
            subject, "POST", path_of("apis", "authorization.k8s.io", "v1", kind), body={"spec": spec}
        )
        allowed = mapping(answer, "status").get("allowed")
        if not isinstance(allowed, bool):
            raise UnexpectedAnswer(SYSTEM, subject, "the answer holds no verdict", "Check the address.")
        return allowed

    def service_account_can(self, namespace: str, name: str, access: Access) -> bool | None:
        """Whether a ServiceAccount has a right; None if we may not ask (that needs a right too)."""
        spec = {
            "user": f"system:serviceaccount:{namespace}:{name}",
            # The groups that the API server itself adds to such a token; RBAC is bound to them as well.
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{namespace}",
                "system:authenticated",
            ],
            "resourceAttributes": access.attributes,
        }
        subject = f"right of ServiceAccount {namespace}/{name} to {access}"
        try:
            return self._review(subject, "subjectaccessreviews", spec)
        except AccessDenied as error:
            if _is_expired(error):
                raise
            return None

    def namespace_exists(self, name: str) -> bool:
        """Whether the namespace is there and not being deleted."""
        found = self._api.find(f"namespace {name}", _in_core("namespaces", name))
        return found is not None and not mapping(found, "metadata").get("deletionTimestamp")

    def service_account_uid(self, namespace: str, name: str) -> str | None:
        """The ServiceAccount's uid, None if there is no such ServiceAccount."""
        subject = f"ServiceAccount {namespace}/{name}"
        found = self._api.find(subject, _in_core("namespaces", namespace, "serviceaccounts", name))
        return None if found is None else text(metadata_of(subject, found), "uid")

    def token_secret(self, namespace: str, name: str) -> TokenSecret | None:
        """The token Secret of a ServiceAccount, None if there is no such Secret.

        Raises:
            Conflict: a Secret of that name is there and is no ServiceAccount token.
            UnexpectedAnswer: its token is not base64 of text.
        """
        subject = f"Secret {namespace}/{name}"
        found = self._api.find(subject, _in_core("namespaces", namespace, "secrets", name))
        return None if found is None else read_token_secret(subject, found)

    def request_token(
        self, namespace: str, service_account: str, lifetime_seconds: int, audiences: Sequence[str] = ()
    ) -> IssuedToken:
        """A new token of a ServiceAccount (TokenRequest). The API server's own audience when none is given.

        Raises:
            PrerequisiteMissing: there is no such ServiceAccount.
            InvalidInput: the lifetime is not accepted (at least 600 seconds).
        """
        subject = f"token of ServiceAccount {namespace}/{service_account}"
        issued = _issued(
            self._api.ask(
                subject,
                "POST",
                _in_core("namespaces", namespace, "serviceaccounts", service_account, "token"),
                body={"spec": {"audiences": list(audiences), "expirationSeconds": lifetime_seconds}},
            )
        )
        if issued is None:
            error = UnexpectedAnswer(
                SYSTEM, subject, "the answer holds no token with its end", "Ask the cluster's operators."
            )
            error.maybe_done = True
            raise error
        return issued

    def key_ids(self) -> frozenset[str] | None:
        """Ids of all keys whose ServiceAccount tokens the cluster believes; None if it does not tell us.

        A cluster may have several: in OpenShift the tokens in Secrets are signed with another key than those
        of TokenRequest. ServiceAccounts may look (``system:service-account-issuer-discovery``).
        """
        try:
            found = self._api.find(
                "keys of its tokens",
                path_of("openid", "v1", "jwks"),
                accept="application/jwk-set+json",
                kind_may_be_missing=True,
            )
        except AccessDenied as error:
            if _is_expired(error):
                raise
            return None
        return frozenset(str(key.get("kid")) for key in items(found, "keys")) or None

    def served_versions(self, crd: str) -> tuple[str, ...]:
        """Versions that a CRD serves, such as ``("v1", "v1beta1")``, in the CRD's own order.

        Args:
            crd: full name, ``secretstores.external-secrets.io``.

        Returns:
            Empty while the CRD is absent or not Established.
        """
        found = self._object("apiextensions.k8s.io", "v1", "customresourcedefinitions", crd)
        if found is None or condition(found, "Established").get("status") != "True":
            return ()
        versions = items(mapping(found, "spec"), "versions")
        return tuple(str(version.get("name")) for version in versions if version.get("served"))

    def secret_store(self, namespace: str, name: str, version: str) -> SecretStoreState | None:
        """State of a SecretStore with its Events; None if it, or its kind in that version, is not there."""
        found = self._object("external-secrets.io", version, "secretstores", name, namespace)
        if found is None:
            return None
        ready = condition(found, "Ready")
        return SecretStoreState(
            ready={"True": True, "False": False}.get(str(ready.get("status"))),
            reason=str(ready.get("reason") or ""),
            message=str(ready.get("message") or ""),
            events=self._events(namespace, "SecretStore", name),
        )

    def _events(self, namespace: str, kind: str, name: str) -> tuple[str, ...]:
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        try:
            found = self._api.ask(
                f"Events of {kind} {namespace}/{name}",
                "GET",
                _in_core("namespaces", namespace, "events"),
                query={"fieldSelector": selector, "limit": 100},
            )
        except AccessDenied as error:
            if _is_expired(error):
                raise
            return ()  # the state is worth having without its history
        latest = sorted(items(found, "items"), key=_time_of_event)
        return tuple(
            dict.fromkeys(
                f"{text(one, 'type')} {text(one, 'reason')}: {text(one, 'message')}" for one in latest
            )
        )

    def operator_running(self) -> bool | None:
        """Whether External Secrets Operator has a ready replica anywhere; None if we may not look."""
        try:
            found = self._api.ask(
                "Deployments of External Secrets Operator",
                "GET",
                path_of("apis", "apps", "v1", "deployments"),
                query={"labelSelector": _OPERATOR_LABEL, "limit": 100},
            )
        except AccessDenied as error:
            if _is_expired(error):
                raise
            return None
        return any(mapping(one, "status").get("readyReplicas") for one in items(found, "items"))

    def infrastructure(self) -> Infrastructure | None:
        """Who the cluster says it is; None where ``config.openshift.io`` is not served."""
        found = self._object("config.openshift.io", "v1", "infrastructures", "cluster")
        if found is None:
            return None
        status = mapping(found, "status")
        return Infrastructure(
            str(status.get("infrastructureName") or ""), str(status.get("apiServerURL") or "")
        )

    def ingress_domain(self) -> str | None:
        """Default domain of the cluster's routes; None where ``config.openshift.io`` is not served."""
        found = self._object("config.openshift.io", "v1", "ingresses", "cluster")
        return None if found is None else str(mapping(found, "spec").get("domain") or "") or None

    def _object(
        self, group: str, version: str, plural: str, name: str, namespace: str = ""
    ) -> Mapping[str, Any] | None:
        subject = f"{plural}.{group} " + (f"{namespace}/{name}" if namespace else name)
        within = ("namespaces", namespace) if namespace else ()
        return self._api.find(
            subject, path_of("apis", group, version, *within, plural, name), kind_may_be_missing=True
        )


def _issued(answer: Mapping[str, Any]) -> IssuedToken | None:
    # A function of its own: whoever raises must not have the token in a variable, which tracebacks show.
    status = mapping(answer, "status")
    token, end = text(status, "token"), time(status, "expirationTimestamp")
    return IssuedToken(SecretStr(token), end) if token and end else None


def _in_core(*parts: str) -> str:
    return path_of("api", "v1", *parts)


def _time_of_event(event: Mapping[str, Any]) -> datetime:
    return time(event, "lastTimestamp") or time(event, "eventTime") or datetime.min.replace(tzinfo=UTC)


def _is_expired(error: AccessDenied) -> bool:
    return error.answer.startswith("401")
