"""The requests that store nothing: TokenReview, access reviews, and TokenRequest."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping

from deployments.sandbox.kubernetes_api.authentication import Authenticator, User
from deployments.sandbox.kubernetes_api.authorization import Action, Authorizer
from deployments.sandbox.kubernetes_api.envelopes import received
from deployments.sandbox.kubernetes_api.kinds import TOKEN_REQUEST, Kind
from deployments.sandbox.kubernetes_api.names import timestamp
from deployments.sandbox.kubernetes_api.status import (
    Cause,
    Object,
    bad_request,
    conflict,
    invalid,
    invalid_value,
    not_found,
)
from deployments.sandbox.kubernetes_api.storage import Store
from deployments.sandbox.kubernetes_api.tokens import TokenError, TokenSigner

_AUTHENTICATION = "authentication.k8s.io"
_AUTHORIZATION = "authorization.k8s.io"
_SHORTEST_LIFETIME = 600
_LONGEST_LIFETIME = 1 << 32
_DEFAULT_LIFETIME = 3600


class Reviews:
    """Answers questions about tokens and rights, and issues tokens."""

    def __init__(
        self,
        store: Store,
        authenticator: Authenticator,
        authorizer: Authorizer,
        signer: TokenSigner,
        max_token_lifetime: int,
    ) -> None:
        """Args: max_token_lifetime: seconds; longer TokenRequests are silently cut to this."""
        self._store = store
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._signer = signer
        self._max_token_lifetime = max_token_lifetime

    def review(self, kind: Kind, body: Object, user: User) -> Object:
        """Answer a review that ``user`` sent; ``kind`` is one of the registry's reviews.

        Raises:
            ApiError: 400 or 422 for a question that is none.
        """
        answers = {
            "tokenreviews": self._token_review,
            "selfsubjectreviews": self._self_subject_review,
            "selfsubjectaccessreviews": self._self_subject_access_review,
            "subjectaccessreviews": self._subject_access_review,
        }
        question = received(kind, "", body)
        answer = answers[kind.resource](question.get("spec") or {}, user)
        return {"kind": kind.name, "apiVersion": kind.api_version, "metadata": question["metadata"], **answer}

    def request_token(self, namespace: str, name: str, body: Object) -> Object:
        """A TokenRequest for a ServiceAccount.

        Raises:
            ApiError: 404 without the ServiceAccount or the bound Secret, 422 for a lifetime that is too short
                or too long, 409 when the bound Secret is another one now.
        """
        request = received(TOKEN_REQUEST, namespace, body)
        spec = request.get("spec") or {}
        lifetime = spec.get("expirationSeconds", _DEFAULT_LIFETIME)
        field = "spec.expirationSeconds"
        problem: Cause | None = None
        if lifetime < _SHORTEST_LIFETIME:
            problem = invalid_value(field, lifetime, "may not specify a duration less than 10 minutes")
        elif lifetime > _LONGEST_LIFETIME:
            problem = invalid_value(field, lifetime, "may not specify a duration larger than 2^32 seconds")
        account = self._store.read("serviceaccounts", namespace, name)
        if account is None:
            raise not_found("", "serviceaccounts", name)
        if problem:
            raise invalid(_AUTHENTICATION, "TokenRequest", "", [problem])
        given = request["metadata"].get("name", name)
        if given != name:
            other = invalid_value("metadata.name", given, "must match the service account name if specified")
            raise invalid(_AUTHENTICATION, "TokenRequest", name, [other])
        bound = self._bound_secret(namespace, spec.get("boundObjectRef"))
        lifetime = min(lifetime, self._max_token_lifetime)
        audiences = list(spec.get("audiences") or self._authenticator.audiences)
        token, expires = self._signer.bound_token(account, audiences, lifetime, bound)
        expiration = datetime.datetime.fromtimestamp(expires, datetime.UTC)
        return {
            "kind": "TokenRequest",
            "apiVersion": f"{_AUTHENTICATION}/v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": str(uuid.uuid4()),
                "creationTimestamp": timestamp(),
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": lifetime,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": token, "expirationTimestamp": timestamp(expiration)},
        }

    def _bound_secret(self, namespace: str, reference: Object | None) -> Object | None:
        if reference is None:
            return None
        name, kind = reference.get("name", ""), reference.get("kind", "")
        if (reference.get("apiVersion"), kind) != ("v1", "Secret"):
            if (reference.get("apiVersion"), kind) == ("v1", "Pod"):
                raise not_found("", "pods", name)
            group, _, number = reference.get("apiVersion", "").rpartition("/")
            raise bad_request(f"cannot bind token to object of type {group}/{number}, Kind={kind}")
        secret = self._store.read("secrets", namespace, name)
        if secret is None:
            raise not_found("", "secrets", name)
        uid = secret["metadata"]["uid"]
        if reference.get("uid", uid) != uid:
            sentence = f"the UID in the bound object reference ({reference['uid']}) does not match"
            tail = "the UID in record. The object might have been deleted and then recreated"
            raise conflict("", "Secret", name, f"{sentence} {tail}")
        return secret

    def _token_review(self, spec: Object, _user: User) -> Object:
        token = spec.get("token", "")
        if not token:
            raise bad_request("token is required for TokenReview in authentication")
        try:
            user, audiences = self._authenticator.authenticate(token, spec.get("audiences") or ())
        except TokenError as error:
            detail = str(error)
            message = f"[invalid bearer token, {detail}]" if detail else "invalid bearer token"
            status: Object = {"user": {}, "error": message}
        else:
            status = {"authenticated": True, "user": user.info(), "audiences": audiences}
        return {"spec": spec, "status": status}

    def _self_subject_review(self, _spec: Object, user: User) -> Object:
        return {"metadata": {"creationTimestamp": timestamp()}, "status": {"userInfo": user.info()}}

    def _self_subject_access_review(self, spec: Object, user: User) -> Object:
        return self._access(spec, user)

    def _subject_access_review(self, spec: Object, _user: User) -> Object:
        groups = tuple(spec.get("groups") or ())
        if not spec.get("user") and not groups:
            cause = invalid_value("spec.user", "", "at least one of user or group must be specified")
            raise invalid(_AUTHORIZATION, "", "", [cause])
        subject = User(spec.get("user", ""), spec.get("uid", ""), groups)
        return self._access(spec, subject)

    def _access(self, spec: Object, user: User) -> Object:
        asked = (spec.get("resourceAttributes"), spec.get("nonResourceAttributes"))
        if (asked[0] is None) == (asked[1] is None):
            detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            cause = invalid_value("spec.resourceAttributes", asked[0], detail)
            raise invalid(_AUTHORIZATION, "", "", [cause])
        decision = self._authorizer.decide(user, _action(*asked))
        status: Object = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        return {"spec": spec, "status": status}


def _action(resource: Mapping[str, str] | None, path: Mapping[str, str] | None) -> Action:
    if path is not None:
        return Action(verb=path.get("verb", ""), path=path.get("path", ""))
    asked = resource or {}
    return Action(
        verb=asked.get("verb", ""),
        group=asked.get("group", ""),
        resource=asked.get("resource", ""),
        subresource=asked.get("subresource", ""),
        name=asked.get("name", ""),
        namespace=asked.get("namespace", ""),
    )
