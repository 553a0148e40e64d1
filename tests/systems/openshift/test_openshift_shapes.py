"""Answers are read as plain JSON: what a shape that nobody documents leads to, and what that spares."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from runbook.errors import EnablementError, UnexpectedAnswer
from systems.openshift import Access, OpenShift, review_with
from tests.systems.openshift.scripted_api import TOKEN, Answer, Scripted

VERSION = "/version/"
IN_NAMESPACE = "/api/v1/namespaces/vault"
ACCOUNT = f"{IN_NAMESPACE}/serviceaccounts/reviewer"
SECRET = f"{IN_NAMESPACE}/secrets/reviewer"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
TYPE = "kubernetes.io/service-account-token"
RIGHTS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ACCESS = Access("get", "namespaces")
NESTED = b'{"metadata":' * 100_000


def of_secret(**fields: Any) -> dict[str, Any]:
    return {"type": TYPE, "metadata": {"uid": "1"}, **fields}


@pytest.mark.parametrize(
    ("path", "answer", "ask"),
    [
        pytest.param(VERSION, {}, OpenShift.version, id="no version"),
        pytest.param(VERSION, {"gitVersion": 4}, OpenShift.version, id="version"),
        pytest.param(IN_NAMESPACE, ["vault"], lambda c: c.namespace_exists("vault"), id="list"),
        pytest.param(IN_NAMESPACE, "vault", lambda c: c.namespace_exists("vault"), id="text"),
        pytest.param(IN_NAMESPACE, None, lambda c: c.namespace_exists("vault"), id="null"),
        pytest.param(ACCOUNT, {}, lambda c: c.service_account_uid("vault", "reviewer"), id="no metadata"),
        pytest.param(
            ACCOUNT, {"metadata": {"uid": 7}}, lambda c: c.service_account_uid("vault", "reviewer"), id="uid"
        ),
        pytest.param(
            SECRET,
            of_secret(data={"token": ["x"]}),
            lambda c: c.token_secret("vault", "reviewer"),
            id="token of a Secret",
        ),
        pytest.param(
            IN_NAMESPACE, {"kind": "Status"}, lambda c: c.namespace_exists("vault"), id="Status with 200"
        ),
        pytest.param(RIGHTS, {}, lambda c: c.denied([ACCESS]), id="no verdict"),
        pytest.param(RIGHTS, {"status": {"allowed": "yes"}}, lambda c: c.denied([ACCESS]), id="verdict"),
    ],
)
def test_an_answer_of_another_shape_is_an_error_that_says_so(
    scripted: Scripted, cluster: OpenShift, path: str, answer: Any, ask: Callable[[OpenShift], object]
) -> None:
    scripted.answers[path] = Answer.json(answer)
    with pytest.raises(UnexpectedAnswer):
        ask(cluster)


@pytest.mark.parametrize("data", [None, ["token"]])
def test_a_secret_without_a_token_is_not_filled_in_yet(
    scripted: Scripted, cluster: OpenShift, data: Any
) -> None:
    scripted.answers[SECRET] = Answer.json(of_secret(data=data))
    found = cluster.token_secret("vault", "reviewer")
    assert found is not None
    assert found.token is None


@pytest.mark.parametrize("end", [None, "tomorrow", "2026-03-01T00:00:00", "0001-01-01T00:00:00+23:00"])
def test_an_issued_token_without_an_end_may_have_been_issued_and_is_in_no_traceback(
    scripted: Scripted, cluster: OpenShift, end: str | None
) -> None:
    answer = {"status": {"token": TOKEN, "expirationTimestamp": end}}
    scripted.answers[f"{ACCOUNT}/token"] = Answer.json(answer)
    with pytest.raises(UnexpectedAnswer) as caught:
        cluster.request_token("vault", "reviewer", 600)
    assert caught.value.maybe_done
    assert caught.tb.tb_next is not None  # below this test, which has the token itself
    shown = traceback.TracebackException(
        UnexpectedAnswer, caught.value, caught.tb.tb_next, capture_locals=True
    )
    assert TOKEN not in "".join(shown.format())


@pytest.mark.parametrize("answer", [{}, {"kind": "Status"}, {"status": {"authenticated": "yes"}}])
def test_a_review_without_a_verdict_is_an_error_and_no_verdict(scripted: Scripted, answer: Any) -> None:
    scripted.answers[REVIEWS] = Answer.json(answer)
    with pytest.raises(UnexpectedAnswer):
        review_with(scripted.url, scripted.ca_pem, SecretStr("reviewer"), SecretStr("token"))


def test_a_review_that_says_why_it_does_not_believe_need_not_say_that_it_does_not(scripted: Scripted) -> None:
    scripted.answers[REVIEWS] = Answer.json({"status": {"user": {}, "error": "expired"}})
    verdict = review_with(scripted.url, scripted.ca_pem, SecretStr("reviewer"), SecretStr("token"))
    assert (verdict.authenticated, verdict.username, verdict.error) == (False, "", "expired")


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize(
    ("body", "kind"), [(NESTED, "application/json"), (b"{}", "application/json; charset=klingon")]
)
def test_an_answer_that_cannot_be_parsed_is_an_error_of_ours(
    scripted: Scripted, cluster: OpenShift, status: int, body: bytes, kind: str
) -> None:
    scripted.answers[IN_NAMESPACE] = Answer(status, body, {"Content-Type": kind})
    with pytest.raises(EnablementError):
        cluster.namespace_exists("vault")


def test_events_without_a_time_that_can_be_read_come_first(scripted: Scripted, cluster: OpenShift) -> None:
    store = "/apis/external-secrets.io/v1/namespaces/vault/secretstores/store"
    scripted.answers[store] = Answer.json({"metadata": {"uid": "1"}})
    times = {"new": "2026-03-01T00:00:00Z", "old": "2026-02-28T23:00:00Z", "unknown": "yesterday"}
    scripted.answers[f"{IN_NAMESPACE}/events"] = Answer.json(
        {"items": [{"type": "Normal", "reason": name, "lastTimestamp": at} for name, at in times.items()]}
    )
    found = cluster.secret_store("vault", "store", "v1")
    assert found is not None
    assert [event.split()[1] for event in found.events] == ["unknown:", "old:", "new:"]


def test_names_are_quoted_in_the_path(scripted: Scripted, cluster: OpenShift) -> None:
    assert not cluster.namespace_exists("vault/../../secrets?x=#y")
    assert scripted.requests[-1][1] == "/api/v1/namespaces/vault%2F..%2F..%2Fsecrets%3Fx%3D%23y"


def test_no_model_of_the_library_is_built(scripted: Scripted) -> None:
    """Each run is a process of its own, and importing the library's models takes 0.7 s of its start."""
    scripted.answers[IN_NAMESPACE] = Answer.json({"metadata": {"uid": "1"}})
    program = """
import json, sys
from systems.openshift import OpenShift
with OpenShift(json.load(sys.stdin)) as cluster:
    assert cluster.namespace_exists("vault")
models = ("kubernetes.client.api.", "kubernetes.client.models.")
print(*(name for name in sys.modules if name.startswith(models)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(scripted.kubeconfig()),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
