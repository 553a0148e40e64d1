"""What the pipeline asks an OpenShift (or plain Kubernetes) cluster, one method a question.

Nothing in here changes the cluster: what the cluster shall have comes through the GitOps repository. The only
things created are access reviews and tokens (TokenRequest), which leave no object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from kubernetes import client as models
from pydantic import SecretStr

from runbook.errors import AccessDenied, UnexpectedAnswer
from systems.openshift.answers import (
    Access,
    Infrastructure,
    IssuedToken,
    SecretStoreState,
    TokenSecret,
)
from systems.openshift.fields import condition, items, mapping
from systems.openshift.kubeconfig import read_kubeconfig
from systems.openshift.token_secrets import metadata_of, read_token_secret
from systems.openshift.transport import SYSTEM, Api

_KEYS = "/openid/v1/jwks"
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
        self._core = models.CoreV1Api(self._api.client)
        self._authorization = models.AuthorizationV1Api(self._api.client)
        self._custom = models.CustomObjectsApi(self._api.client)

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
        found = self._api.ask("version", models.VersionApi(self._api.client).get_code)
        return str(found.git_version)

    def denied(self, accesses: Sequence[Access]) -> tuple[Access, ...]:
        """Those of ``accesses`` that our own credentials do not have, in the order given."""
        return tuple(access for access in accesses if not self._allowed(access))

    def _allowed(self, access: Access) -> bool:
        body = models.V1SelfSubjectAccessReview(
            spec=models.V1SelfSubjectAccessReviewSpec(resource_attributes=_attributes(access))
        )
        answer = self._api.ask(
            f"our right to {access}",
            lambda: self._authorization.create_self_subject_access_review(body),
        )
        return bool(answer.status and answer.status.allowed)

    def service_account_can(self, namespace: str, name: str, access: Access) -> bool | None:
        """Whether a ServiceAccount has a right; None if we may not ask (that needs a right too)."""
        body = models.V1SubjectAccessReview(
            spec=models.V1SubjectAccessReviewSpec(
                user=f"system:serviceaccount:{namespace}:{name}",
                # The groups that the API server itself adds to such a token; RBAC is bound to them as well.
                groups=[
                    "system:serviceaccounts",
                    f"system:serviceaccounts:{namespace}",
                    "system:authenticated",
                ],
                resource_attributes=_attributes(access),
            )
        )
        subject = f"right of ServiceAccount {namespace}/{name} to {access}"
        try:
            answer = self._api.ask(subject, lambda: self._authorization.create_subject_access_review(body))
        except AccessDenied as error:
            if _is_expired(error):
                raise
            return None
        return bool(answer.status and answer.status.allowed)

    def namespace_exists(self, name: str) -> bool:
        """Whether the namespace is there and not being deleted."""
        found = self._api.find(f"namespace {name}", lambda: self._core.read_namespace(name))
        return found is not None and not (found.metadata and found.metadata.deletion_timestamp)

    def service_account_uid(self, namespace: str, name: str) -> str | None:
        """The ServiceAccount's uid, None if there is no such ServiceAccount."""
        subject = f"ServiceAccount {namespace}/{name}"
        found = self._api.find(subject, lambda: self._core.read_namespaced_service_account(name, namespace))
        return None if found is None else metadata_of(subject, found).uid

    def token_secret(self, namespace: str, name: str) -> TokenSecret | None:
        """The token Secret of a ServiceAccount, None if there is no such Secret.

        Raises:
            Conflict: a Secret of that name is there and is no ServiceAccount token.
            UnexpectedAnswer: its token is not base64 of text.
        """
        subject = f"Secret {namespace}/{name}"
        found = self._api.find(subject, lambda: self._core.read_namespaced_secret(name, namespace))
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
        body = models.AuthenticationV1TokenRequest(
            spec=models.V1TokenRequestSpec(audiences=list(audiences), expiration_seconds=lifetime_seconds)
        )
        answer = self._api.ask(
            subject,
            lambda: self._core.create_namespaced_service_account_token(service_account, namespace, body),
        )
        issued = answer.status
        if not issued or not issued.token or not issued.expiration_timestamp:
            raise UnexpectedAnswer(
                SYSTEM, subject, "the answer holds no token", "Ask the cluster's operators."
            )
        return IssuedToken(SecretStr(issued.token), issued.expiration_timestamp.astimezone(UTC))

    def key_ids(self) -> frozenset[str] | None:
        """Ids of all keys whose ServiceAccount tokens the cluster believes; None if it does not tell us.

        A cluster may have several: in OpenShift the tokens in Secrets are signed with another key than those
        of TokenRequest. ServiceAccounts may look (``system:service-account-issuer-discovery``).
        """

        def call() -> Any:
            # The library's own method returns the text of a Python dict.
            client = self._api.client
            accept = {"Accept": "application/jwk-set+json"}
            request = client.param_serialize(
                "GET", _KEYS, header_params=accept, auth_settings=["BearerToken"]
            )
            return client.response_deserialize(client.call_api(*request), {"200": "object"}).data

        try:
            found = self._api.find("keys of its tokens", call, kind_may_be_missing=True)
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
                lambda: self._core.list_namespaced_event(namespace, field_selector=selector, limit=100),
            )
        except AccessDenied as error:
            if _is_expired(error):
                raise
            return ()  # the state is worth having without its history
        latest = sorted(found.items, key=_time_of_event)
        return tuple(dict.fromkeys(f"{one.type} {one.reason}: {one.message}" for one in latest))

    def operator_running(self) -> bool | None:
        """Whether External Secrets Operator has a ready replica anywhere; None if we may not look."""
        # Read as plain JSON: building the library's models of a Deployment takes a quarter of a second.
        try:
            found = self._api.ask(
                "Deployments of External Secrets Operator",
                lambda: self._custom.list_cluster_custom_object(
                    "apps", "v1", "deployments", label_selector=_OPERATOR_LABEL, limit=100
                ),
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
        if namespace:
            found = self._api.find(
                subject,
                lambda: self._custom.get_namespaced_custom_object(group, version, namespace, plural, name),
                kind_may_be_missing=True,
            )
        else:
            found = self._api.find(
                subject,
                lambda: self._custom.get_cluster_custom_object(group, version, plural, name),
                kind_may_be_missing=True,
            )
        if found is not None and not isinstance(found, Mapping):
            raise UnexpectedAnswer(SYSTEM, subject, "the answer is not an object", "Check the address.")
        return found


def _attributes(access: Access) -> Any:
    return models.V1ResourceAttributes(
        verb=access.verb,
        resource=access.resource,
        group=access.group or None,
        namespace=access.namespace or None,
        name=access.name or None,
        subresource=access.subresource or None,
    )


def _time_of_event(event: Any) -> datetime:
    return event.last_timestamp or event.event_time or datetime.min.replace(tzinfo=UTC)


def _is_expired(error: AccessDenied) -> bool:
    return error.answer.startswith("401")
