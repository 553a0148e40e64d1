"""What an API server refuses, and answers that it does not give, as errors of the pipeline."""

from __future__ import annotations

import base64
import datetime
import json
import traceback

import jwt
import pytest
from pydantic import SecretStr

from runbook.errors import (
    AccessDenied,
    Busy,
    Conflict,
    EnablementError,
    InvalidInput,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)
from systems.bounded import LARGEST_ANSWER
from systems.openshift import Access, OpenShift, review_with
from tests.systems.openshift.scripted_api import TOKEN, Answer, Scripted

NAMESPACE = "/api/v1/namespaces/vault"
SECRET = "/api/v1/namespaces/vault/secrets/reviewer"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def test_an_unauthorized_kubeconfig_says_to_log_in_again(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers[NAMESPACE] = Answer.refusal(401, "Unauthorized")
    with pytest.raises(AccessDenied, match=r"401 Unauthorized.*`oc login` again") as caught:
        cluster.namespace_exists("vault")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_an_expired_token_is_named_as_expired_with_its_date(scripted: Scripted) -> None:
    end = datetime.datetime(2024, 2, 29, 12, 0, tzinfo=datetime.UTC)
    token = jwt.encode({"exp": end}, "a-key-of-some-length-for-hs256-signing")
    scripted.answers[NAMESPACE] = Answer.refusal(401, "Unauthorized")
    with (
        OpenShift(scripted.kubeconfig(token=token)) as cluster,
        pytest.raises(AccessDenied, match="the credentials expired on 2024-02-29 12:00 UTC"),
    ):
        cluster.namespace_exists("vault")


def test_a_missing_right_is_reported_in_the_words_of_the_server(
    scripted: Scripted, cluster: OpenShift
) -> None:
    words = 'namespaces "vault" is forbidden: User "pipeline" cannot get resource "namespaces"'
    scripted.answers[NAMESPACE] = Answer.refusal(403, words)
    with pytest.raises(AccessDenied) as caught:
        cluster.namespace_exists("vault")
    assert caught.value.answer == words


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_worth_another_try(scripted: Scripted, cluster: OpenShift, status: int) -> None:
    scripted.answers[NAMESPACE] = Answer.refusal(status, "later", **{"Retry-After": "7"})
    with pytest.raises(Busy, match=f"{status} later") as caught:
        cluster.namespace_exists("vault")
    assert caught.value.retry_after == 7.0
    assert len(scripted.requests) == 1, "Prefect retries the step; the library must not"


def test_a_retry_after_that_is_a_date_is_understood(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers[NAMESPACE] = Answer.refusal(
        503, "later", **{"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}
    )
    with pytest.raises(Busy) as caught:
        cluster.namespace_exists("vault")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 86400


def test_a_gateway_page_instead_of_the_api_server_is_worth_another_try(
    scripted: Scripted, cluster: OpenShift
) -> None:
    scripted.answers[NAMESPACE] = Answer(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"})
    with pytest.raises(Busy, match="502"):
        cluster.namespace_exists("vault")


def test_a_redirect_is_not_followed(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers[REVIEWS] = Answer(307, b"", {"Location": f"{scripted.url}/elsewhere"})
    scripted.answers[NAMESPACE] = Answer(302, b"", {"Location": f"{scripted.url}/elsewhere"})
    with pytest.raises(UnexpectedAnswer, match="307"):
        review_with(scripted.url, scripted.ca_pem, SecretStr("reviewer"), SecretStr("somebody"))
    with pytest.raises(UnexpectedAnswer, match="302"):
        cluster.namespace_exists("vault")
    assert [request[1] for request in scripted.requests] == [REVIEWS, NAMESPACE]


def test_a_web_page_with_404_is_not_taken_for_an_absent_object(
    scripted: Scripted, cluster: OpenShift
) -> None:
    scripted.answers[NAMESPACE] = Answer(404, b"<html>Not found</html>", {"Content-Type": "text/html"})
    with pytest.raises(UnexpectedAnswer, match="404"):
        cluster.namespace_exists("vault")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"metadata": {"name": "vau', "application/json"),
        (b"<html>Welcome</html>", "text/html"),
        (b"<html>Welcome</html>", "application/json"),
        (b'["vault"]', "application/json"),
        (b'"vault"', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"metadata": "vault"}', "application/json"),
        (b'{"metadata": {"name": 7}}', "application/json"),
        (b"", "application/x-protobuf"),
    ],
)
def test_a_broken_answer_is_unexpected(
    scripted: Scripted, cluster: OpenShift, body: bytes, content_type: str
) -> None:
    scripted.answers["/api/v1/namespaces/vault/serviceaccounts/x"] = Answer(
        200, body, {"Content-Type": content_type}
    )
    with pytest.raises(UnexpectedAnswer):
        cluster.service_account_uid("vault", "x")


def test_a_broken_answer_with_a_token_does_not_come_out_in_the_error(
    scripted: Scripted, cluster: OpenShift, caplog: pytest.LogCaptureFixture
) -> None:
    # A token where a number is wanted: the library's own error quotes it.
    scripted.answers["/api/v1/namespaces/vault/serviceaccounts/x/token"] = Answer.json(
        {"spec": {"audiences": []}, "status": {"token": "short", "expirationTimestamp": TOKEN}}, 201
    )
    with caplog.at_level("DEBUG"), pytest.raises(UnexpectedAnswer) as caught:
        cluster.request_token("vault", "x", 600)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert TOKEN not in caplog.text


def test_an_endless_answer_is_cut_off(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers[NAMESPACE] = Answer(
        200, b" " * (LARGEST_ANSWER + 1), {"Content-Type": "application/json"}
    )
    with pytest.raises(UnexpectedAnswer, match="more than 4194304 bytes"):
        cluster.namespace_exists("vault")


def test_an_answer_that_drips_is_given_up(scripted: Scripted) -> None:
    scripted.answers[NAMESPACE] = Answer(200, b" " * 200, {}, seconds_between_bytes=0.05)
    with (
        OpenShift(scripted.kubeconfig(), timeout=0.5) as cluster,
        pytest.raises(Unreachable, match="did not end in time"),
    ):
        cluster.namespace_exists("vault")


def test_a_secret_of_another_type_is_a_conflict(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers[SECRET] = Answer.json(_secret("Opaque", token=base64.b64encode(b"t").decode()))
    with pytest.raises(Conflict, match="is of type Opaque"):
        cluster.token_secret("vault", "reviewer")


def test_a_token_that_is_no_base64_is_unexpected_and_not_shown(
    scripted: Scripted, cluster: OpenShift
) -> None:
    scripted.answers[SECRET] = Answer.json(_secret("kubernetes.io/service-account-token", token=TOKEN))
    with pytest.raises(UnexpectedAnswer) as caught:
        cluster.token_secret("vault", "reviewer")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_an_unfilled_token_secret_has_no_token_yet(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers[SECRET] = Answer.json(_secret("kubernetes.io/service-account-token"))
    found = cluster.token_secret("vault", "reviewer")
    assert found is not None
    assert found.token is None
    assert found.service_account == "eso-vault-auth"


def test_a_lifetime_that_the_server_refuses_is_invalid_input(scripted: Scripted, cluster: OpenShift) -> None:
    words = "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"
    scripted.answers["/api/v1/namespaces/vault/serviceaccounts/x/token"] = Answer.refusal(422, words)
    with pytest.raises(InvalidInput, match="less than 10 minutes"):
        cluster.request_token("vault", "x", 60)


def test_a_token_for_a_service_account_that_is_not_there_misses_a_prerequisite(cluster: OpenShift) -> None:
    with pytest.raises(PrerequisiteMissing, match="ServiceAccount vault/x"):
        cluster.request_token("vault", "x", 600)


def test_what_we_may_not_ask_is_unknown_rather_than_an_error(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers["/apis/authorization.k8s.io/v1/subjectaccessreviews"] = Answer.refusal(403, "no")
    scripted.answers["/apis/apps/v1/deployments"] = Answer.refusal(403, "no")
    scripted.answers["/openid/v1/jwks"] = Answer.refusal(403, "no")
    access = Access("create", "tokenreviews", "authentication.k8s.io")
    assert cluster.service_account_can("vault", "x", access) is None
    assert cluster.operator_running() is None
    assert cluster.key_ids() is None


def test_expired_credentials_are_an_error_even_where_a_missing_right_is_not(
    scripted: Scripted, cluster: OpenShift
) -> None:
    scripted.answers["/apis/authorization.k8s.io/v1/subjectaccessreviews"] = Answer.refusal(401, "no")
    scripted.answers["/apis/apps/v1/deployments"] = Answer.refusal(401, "no")
    scripted.answers["/openid/v1/jwks"] = Answer.refusal(401, "no")
    with pytest.raises(AccessDenied):
        cluster.service_account_can("vault", "x", Access("get", "pods"))
    with pytest.raises(AccessDenied):
        cluster.operator_running()
    with pytest.raises(AccessDenied):
        cluster.key_ids()


@pytest.mark.parametrize(
    ("status", "says"), [(401, "deleted or recreated"), (403, "ClusterRole system:auth-delegator")]
)
def test_a_reviewer_that_cannot_review_is_told_apart(scripted: Scripted, status: int, says: str) -> None:
    scripted.answers[REVIEWS] = Answer.refusal(status, "no")
    reviewer = SecretStr("reviewer-" + TOKEN)
    with pytest.raises(AccessDenied, match=says) as caught:
        review_with(scripted.url, scripted.ca_pem, reviewer, SecretStr("client-" + TOKEN))
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_review_asks_with_the_reviewer_about_the_client(scripted: Scripted) -> None:
    user = {"username": "system:serviceaccount:vault:x", "uid": "u-1"}
    scripted.answers[REVIEWS] = Answer.json(
        {
            "spec": {"token": "client"},
            "status": {"authenticated": True, "user": user},
        },
        201,
    )
    verdict = review_with(scripted.url + "/", scripted.ca_pem, SecretStr("reviewer\n"), SecretStr("client"))
    assert (verdict.authenticated, verdict.username) == (True, user["username"])
    _method, _path, headers, body = scripted.requests[0]
    assert headers["authorization"] == "Bearer reviewer"
    assert json.loads(body)["spec"] == {"token": "client"}


@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "127.0.0.1:6443", "https://", "https://h?x=1"])
def test_a_host_that_vault_cannot_use_is_refused(scripted: Scripted, host: str) -> None:
    with pytest.raises(InvalidInput):
        review_with(host, scripted.ca_pem, SecretStr("r"), SecretStr("c"))


def test_every_error_survives_the_way_through_a_task_runner(scripted: Scripted, cluster: OpenShift) -> None:
    import pickle

    scripted.answers[NAMESPACE] = Answer.refusal(503, "later")
    with pytest.raises(EnablementError) as caught:
        cluster.namespace_exists("vault")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def _secret(kind: str, **data: str) -> dict[str, object]:
    annotations = {"kubernetes.io/service-account.name": "eso-vault-auth"}
    return {
        "metadata": {"name": "reviewer", "uid": "u", "annotations": annotations},
        "type": kind,
        "data": data,
    }
