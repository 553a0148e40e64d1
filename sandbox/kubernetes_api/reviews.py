"""The requests that store nothing: TokenReview, access and rules reviews, and TokenRequest."""

from __future__ import annotations

import datetime
import uuid

from sandbox.kubernetes_api.authentication import Authenticator, User
from sandbox.kubernetes_api.authorization import Action, Authorizer
from sandbox.kubernetes_api.envelopes import received
from sandbox.kubernetes_api.kinds import TOKEN_REQUEST, Kind
from sandbox.kubernetes_api.names import timestamp
from sandbox.kubernetes_api.status import (
    Cause,
    Object,
    bad_request,
    invalid,
    invalid_value,
    not_found,
)
from sandbox.kubernetes_api.storage import Store
from sandbox.kubernetes_api.tokens import TokenError, TokenSigner

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
    ) -> None:
        self._store = store
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._signer = signer

    def review(self, kind: Kind, body: Object, user: User) -> Object:
        """Answer a review that ``user`` sent; ``kind`` is one of the registry's reviews.

        Raises:
            ApiError: 400 or 422 for a question that is none.
        """
        answers = {
            "tokenreviews": self._token_review,
            "selfsubjectaccessreviews": self._self_subject_access_review,
            "selfsubjectrulesreviews": self._self_subject_rules_review,
            "subjectaccessreviews": self._subject_access_review,
        }
        question = received(kind, "", body)
        answer = answers[kind.resource](question.get("spec") or {}, user)
        return {"kind": kind.name, "apiVersion": kind.api_version, "metadata": question["metadata"], **answer}

    def request_token(self, namespace: str, name: str, body: Object) -> Object:
        """A TokenRequest for a ServiceAccount.

        Raises:
            ApiError: 404 without the ServiceAccount, 422 for a lifetime that is too short or too long.
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
        audiences = list(spec.get("audiences") or self._authenticator.audiences)
        token, expires = self._signer.bound_token(account, audiences, lifetime)
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
            "spec": {"audiences": audiences, "expirationSeconds": lifetime},
            "status": {"token": token, "expirationTimestamp": timestamp(expiration)},
        }

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

    def _self_subject_access_review(self, spec: Object, user: User) -> Object:
        return self._access(spec, user)

    def _self_subject_rules_review(self, spec: Object, user: User) -> Object:
        namespace = spec.get("namespace", "")
        if not namespace:
            raise bad_request("no namespace on request")
        # Whether there is such a namespace, a real server does not look at either.
        rules, problem = self._authorizer.rules(user, namespace)
        status: Object = {
            "resourceRules": _parts(rules, "resources", "verbs", "apiGroups", "resourceNames"),
            "nonResourceRules": _parts(rules, "nonResourceURLs", "verbs"),
            "incomplete": False,
        }
        if problem:
            status["evaluationError"] = problem
        return {"spec": {}, "status": status}

    def _subject_access_review(self, spec: Object, _user: User) -> Object:
        groups = tuple(spec.get("groups") or ())
        if not spec.get("user") and not groups:
            cause = invalid_value("spec.user", "", "at least one of user or group must be specified")
            raise invalid(_AUTHORIZATION, "", "", [cause])
        subject = User(spec.get("user", ""), spec.get("uid", ""), groups)
        return self._access(spec, subject)

    def _access(self, spec: Object, user: User) -> Object:
        asked = spec.get("resourceAttributes")
        if asked is None:
            detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            cause = invalid_value("spec.resourceAttributes", asked, detail)
            raise invalid(_AUTHORIZATION, "", "", [cause])
        fields = ("verb", "group", "resource", "subresource", "name", "namespace")
        decision = self._authorizer.decide(user, Action(**{name: asked.get(name, "") for name in fields}))
        status: Object = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        return {"spec": spec, "status": status}


def _parts(rules: list[Object], about: str, *others: str) -> list[Object]:
    """Those fields of the rules that are about resources, or about paths."""
    return [
        {field: rule[field] for field in (about, *others) if rule.get(field)}
        for rule in rules
        if rule.get(about)
    ]
