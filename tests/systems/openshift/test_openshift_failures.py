"""What an API server refuses, and answers that it does not give, as errors of the pipeline."""

from __future__ import annotations

import base64
import datetime
import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from runbook.cluster_rights import REVIEW_TOKENS
from runbook.errors import (
    AccessDenied,
    Busy,
    Conflict,
    EnablementError,
    InvalidInput,
    NotAuthenticated,
    PrerequisiteMissing,
    UnexpectedAnswer,
)
from systems.openshift import OpenShift, review_with
from systems.openshift.answers import TokenReview
from tests.systems.openshift.scripted_api import TOKEN, Answer, Scripted

NAMESPACE = "/api/v1/namespaces/vault"
TOKENS = f"{NAMESPACE}/serviceaccounts/x/token"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
HTML = {"Content-Type": "text/html"}
FORBIDDEN = 'namespaces "vault" is forbidden: User "pipeline" cannot get resource "namespaces"'
TOO_SHORT = "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"


def in_namespace(cluster: OpenShift) -> object:
    return cluster.namespace_exists("vault")


def a_token(cluster: OpenShift) -> object:
    return cluster.request_token("vault", "x", 60)


def review(scripted: Scripted, reviewer: str = "reviewer", client: str = "client") -> TokenReview:
    return review_with(scripted.url + "/", scripted.ca_pem, SecretStr(reviewer), SecretStr(client))


@pytest.mark.parametrize(
    ("ask", "answer", "error", "says"),
    [
        (
            in_namespace,
            Answer.refusal(401, "Unauthorized"),
            NotAuthenticated,
            "401 Unauthorized.*put a new kubeconfig into",
        ),
        (in_namespace, Answer.refusal(403, FORBIDDEN), AccessDenied, FORBIDDEN),
        (in_namespace, Answer(502, b"<html>Bad gateway", {"Content-Type": "text/html"}), Busy, "502"),
        (
            in_namespace,
            Answer(404, b"<html>Not found", {"Content-Type": "text/html"}),
            UnexpectedAnswer,
            "404",
        ),
        (a_token, Answer.refusal(422, TOO_SHORT), InvalidInput, "less than 10 minutes"),
        (a_token, Answer.refusal(404, "not found"), PrerequisiteMissing, "ServiceAccount vault/x"),
    ],
    ids=["withdrawn", "no right", "gateway", "web page", "invalid", "no such account"],
)
def test_a_refusal_is_an_error_in_the_words_of_the_server_without_the_token(
    scripted: Scripted,
    cluster: OpenShift,
    ask: Callable[[OpenShift], object],
    answer: Answer,
    error: type[EnablementError],
    says: str,
) -> None:
    scripted.answers[NAMESPACE] = scripted.answers[TOKENS] = answer
    with pytest.raises(error, match=says) as caught:
        ask(cluster)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    # It survives the way through a task runner.
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_an_expired_token_is_named_as_expired_with_its_date(scripted: Scripted) -> None:
    end = datetime.datetime(2024, 2, 29, 12, 0, tzinfo=datetime.UTC)
    token = jwt.encode({"exp": end}, "a-key-of-some-length-for-hs256-signing")
    scripted.answers[NAMESPACE] = Answer.refusal(401, "Unauthorized")
    with (
        OpenShift(scripted.kubeconfig(token=token)) as cluster,
        pytest.raises(AccessDenied, match="the credentials expired on 2024-02-29 12:00 UTC"),
    ):
        cluster.namespace_exists("vault")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("7", 7.0), ("Fri, 01 Jan 2100 00:00:00 GMT", pytest.approx(2e9, rel=0.5))]
)
def test_a_busy_server_is_worth_another_try(
    scripted: Scripted, cluster: OpenShift, status: int, retry_after: str, seconds: Any
) -> None:
    scripted.answers[NAMESPACE] = Answer.refusal(status, "later", **{"Retry-After": retry_after})
    with pytest.raises(Busy, match=f"{status} later") as caught:
        cluster.namespace_exists("vault")
    assert caught.value.retry_after == seconds
    assert len(scripted.requests) == 1, "Prefect retries the step; the library must not"


def test_a_secret_of_another_type_is_a_conflict(scripted: Scripted, cluster: OpenShift) -> None:
    token = base64.b64encode(b"t").decode()
    opaque = {"metadata": {"uid": "u"}, "type": "Opaque", "data": {"token": token}}
    scripted.answers[f"{NAMESPACE}/secrets/reviewer"] = Answer.json(opaque)
    with pytest.raises(Conflict, match="is of type Opaque"):
        cluster.token_secret("vault", "reviewer")


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        (
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            lambda cluster: cluster.service_account_can("vault", "x", REVIEW_TOKENS),
        ),
        ("/apis/apps/v1/deployments", OpenShift.operator_running),
        ("/openid/v1/jwks", OpenShift.key_ids),
    ],
)
def test_what_we_may_not_ask_is_unknown_and_expired_credentials_are_an_error_all_the_same(
    scripted: Scripted, cluster: OpenShift, path: str, ask: Callable[[OpenShift], object]
) -> None:
    scripted.answers[path] = Answer.refusal(403, "no")
    assert ask(cluster) is None
    scripted.answers[path] = Answer.refusal(401, "no")
    with pytest.raises(NotAuthenticated):
        ask(cluster)


@pytest.mark.parametrize(
    ("status", "says"), [(401, "deleted or recreated"), (403, "ClusterRole system:auth-delegator")]
)
def test_a_reviewer_that_cannot_review_is_told_apart(scripted: Scripted, status: int, says: str) -> None:
    scripted.answers[REVIEWS] = Answer.refusal(status, "no")
    with pytest.raises(AccessDenied, match=says) as caught:
        review(scripted, f"reviewer-{TOKEN}", f"client-{TOKEN}")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_review_asks_with_the_reviewer_about_the_client(scripted: Scripted) -> None:
    user = {"username": "system:serviceaccount:vault:x", "uid": "u-1"}
    answer = {"spec": {"token": "client"}, "status": {"authenticated": True, "user": user}}
    scripted.answers[REVIEWS] = Answer.json(answer, 201)
    assert review(scripted, "reviewer\n") == TokenReview(True, user["username"], "")
    _method, _path, headers, body = scripted.requests[0]
    assert headers["authorization"] == "Bearer reviewer"
    assert json.loads(body)["spec"] == {"token": "client"}


@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "127.0.0.1:6443", "https://", "https://h?x=1"])
def test_a_host_that_vault_cannot_use_is_refused(scripted: Scripted, host: str) -> None:
    with pytest.raises(InvalidInput):
        review_with(host, scripted.ca_pem, SecretStr("r"), SecretStr("c"))
