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

from runbook.cluster_rights import ClusterRight
from runbook.errors import Busy, UnexpectedAnswer
from systems.openshift import OpenShift, TokenSecret, review_with
from tests.systems.openshift.scripted_api import TOKEN, Answer, Scripted

VERSION = "/version/"
IN_NAMESPACE = "/api/v1/namespaces/vault"
ACCOUNT = f"{IN_NAMESPACE}/serviceaccounts/reviewer"
SECRET = f"{IN_NAMESPACE}/secrets/reviewer"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
TYPE = "kubernetes.io/service-account-token"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
RIGHTS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ACCESS = ClusterRight("get", "namespaces")
NESTED = b'{"metadata":' * 100_000


def of_secret(**data: Any) -> dict[str, Any]:
    return {"type": TYPE, "metadata": {"uid": "1"}, "data": data}


def in_namespace(cluster: OpenShift) -> object:
    return cluster.namespace_exists("vault")


def of_account(cluster: OpenShift) -> object:
    return cluster.service_account_uid("vault", "reviewer")


def token_secret(cluster: OpenShift) -> object:
    return cluster.token_secret("vault", "reviewer")


def rights(cluster: OpenShift) -> object:
    return cluster.denied([ACCESS])


@pytest.mark.parametrize(
    ("path", "answer", "ask"),
    [
        pytest.param(VERSION, {}, OpenShift.version, id="no version"),
        pytest.param(VERSION, {"gitVersion": 4}, OpenShift.version, id="version"),
        pytest.param(IN_NAMESPACE, ["vault"], in_namespace, id="list"),
        pytest.param(IN_NAMESPACE, "vault", in_namespace, id="text"),
        pytest.param(IN_NAMESPACE, None, in_namespace, id="null"),
        pytest.param(IN_NAMESPACE, {"kind": "Status"}, in_namespace, id="Status with 200"),
        pytest.param(ACCOUNT, {}, of_account, id="no metadata"),
        pytest.param(ACCOUNT, {"metadata": "reviewer"}, of_account, id="metadata"),
        pytest.param(ACCOUNT, {"metadata": {"uid": 7}}, of_account, id="uid"),
        pytest.param(SECRET, of_secret(token=["x"]), token_secret, id="token of a Secret"),
        pytest.param(SECRET, of_secret(token=TOKEN), token_secret, id="token that is no base64"),
        pytest.param(RIGHTS, {}, rights, id="no verdict"),
        pytest.param(RIGHTS, {"status": {"allowed": "yes"}}, rights, id="verdict"),
    ],
)
def test_an_answer_of_another_shape_is_an_error_that_says_so_and_does_not_quote_it(
    scripted: Scripted, cluster: OpenShift, path: str, answer: Any, ask: Callable[[OpenShift], object]
) -> None:
    scripted.answers |= {RULES: Answer.json({}), path: Answer.json(answer)}
    with pytest.raises(UnexpectedAnswer) as caught:
        ask(cluster)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("data", [None, ["token"], {}])
def test_a_secret_without_a_token_is_not_filled_in_yet(
    scripted: Scripted, cluster: OpenShift, data: Any
) -> None:
    scripted.answers[SECRET] = Answer.json({**of_secret(), "data": data})
    assert cluster.token_secret("vault", "reviewer") == TokenSecret("", None)


@pytest.mark.parametrize("end", [None, "tomorrow", "2026-03-01T00:00:00", "0001-01-01T00:00:00+23:00", TOKEN])
def test_an_issued_token_without_an_end_may_have_been_issued_and_is_in_no_traceback_or_log(
    scripted: Scripted, cluster: OpenShift, end: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    answer = {"status": {"token": TOKEN, "expirationTimestamp": end}}
    scripted.answers[f"{ACCOUNT}/token"] = Answer.json(answer)
    with caplog.at_level("DEBUG"), pytest.raises(UnexpectedAnswer) as caught:
        cluster.request_token("vault", "reviewer", 600)
    assert caught.value.maybe_done
    assert caught.tb.tb_next is not None  # below this test, which has the token itself
    shown = traceback.TracebackException(
        UnexpectedAnswer, caught.value, caught.tb.tb_next, capture_locals=True
    )
    assert TOKEN not in "".join(shown.format()) + caplog.text


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
    ("body", "kind"),
    [
        (NESTED, "application/json"),
        (b'{"metadata": {"name": "vau', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"<html>Welcome</html>", "application/json"),
        (b"<html>Welcome</html>", "text/html"),
        (b"{}", "application/json; charset=klingon"),
        (b"", "application/x-protobuf"),
    ],
)
def test_an_answer_that_cannot_be_parsed_is_an_error_of_ours(
    scripted: Scripted, cluster: OpenShift, status: int, body: bytes, kind: str
) -> None:
    scripted.answers[IN_NAMESPACE] = Answer(status, body, {"Content-Type": kind})
    with pytest.raises(Busy if status == 500 else UnexpectedAnswer):
        cluster.namespace_exists("vault")


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
