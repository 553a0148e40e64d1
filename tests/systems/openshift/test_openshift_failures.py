"""What goes wrong between us and an API server, over a real socket with TLS."""

from __future__ import annotations

import base64
import datetime
import json
import socket
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import jwt
import pytest
from pydantic import SecretStr

from deployments.sandbox.certificates import CertificateAuthority
from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    Conflict,
    EnablementError,
    InvalidInput,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)
from systems.bounded import LARGEST_ANSWER
from systems.openshift import Access, OpenShift, review_with
from tests.systems.openshift.scripted_api import Answer, Scripted, kubeconfig, scripted_server

NAMESPACE = "/api/v1/namespaces/vault"
SECRET = "/api/v1/namespaces/vault/secrets/reviewer"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
TOKEN = "eyJhbGciOi-do-not-print-me"


@pytest.fixture
def cluster(scripted: Scripted) -> Iterator[OpenShift]:
    with OpenShift(scripted.kubeconfig(token=TOKEN), timeout=5) as made:
        yield made


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


def test_a_closed_port_is_unreachable(authority: CertificateAuthority) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        url = f"https://127.0.0.1:{reserved.getsockname()[1]}"
        with (
            OpenShift(kubeconfig(url, authority.pem)) as cluster,
            pytest.raises(Unreachable, match="refused"),
        ):
            cluster.version()


def test_a_server_that_accepts_and_says_nothing_is_unreachable(authority: CertificateAuthority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with (
            OpenShift(kubeconfig(url, authority.pem), timeout=0.3) as cluster,
            pytest.raises(Unreachable, match="timed out"),
        ):
            cluster.version()


def test_a_ca_that_did_not_sign_is_named_as_a_broken_chain(scripted: Scripted) -> None:
    other = CertificateAuthority("somebody else")
    with (
        OpenShift(kubeconfig(scripted.url, other.pem)) as cluster,
        pytest.raises(CertificateNotTrusted, match="chain:"),
    ):
        cluster.version()
    assert scripted.requests == [], "credentials were sent to a server that is not trusted"


def test_a_name_that_the_certificate_lacks_is_named_with_the_names_it_has(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    with (
        scripted_server(tmp_path, authority, ("api.ember.example.com", "192.0.2.7")) as script,
        OpenShift(script.kubeconfig()) as cluster,
        pytest.raises(
            CertificateNotTrusted,
            match=r"not valid for 127\.0\.0\.1, only for api\.ember\.example\.com, 192\.0\.2\.7",
        ),
    ):
        cluster.version()


def test_tls_server_name_of_the_kubeconfig_is_the_name_that_counts(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    with scripted_server(tmp_path, authority, ("api.ember.example.com",)) as script:
        script.answers["/version/"] = Answer.json(_version("v1.29.6+aba1e8d"))
        config = script.kubeconfig()
        config["clusters"][0]["cluster"]["tls-server-name"] = "api.ember.example.com"
        with OpenShift(config) as cluster:
            assert cluster.version() == "v1.29.6+aba1e8d"
        config["clusters"][0]["cluster"]["tls-server-name"] = "api.other.example.com"
        with OpenShift(config) as cluster, pytest.raises(CertificateNotTrusted, match="host name"):
            cluster.version()


def test_a_server_without_tls_is_not_taken_for_an_untrusted_one(authority: CertificateAuthority) -> None:
    import threading

    def greet(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _address = listener.accept()
            with connection, suppress(ConnectionError):  # the client may be gone already
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=greet, args=(plain,), daemon=True).start()
        url = f"https://127.0.0.1:{plain.getsockname()[1]}"
        with (
            OpenShift(kubeconfig(url, authority.pem)) as cluster,
            pytest.raises(UnexpectedAnswer, match="no TLS handshake"),
        ):
            cluster.version()


def test_a_client_certificate_is_presented_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted: Scripted
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    client = CertificateAuthority("clients").issue("system:admin")
    scripted.answers["/version/"] = Answer.json(_version("v1.36.2"))
    before = sorted(tmp_path.rglob("*"))
    config = scripted.kubeconfig(
        token="",
        **{
            "client-certificate-data": base64.b64encode(client.certificate_pem.encode()).decode(),
            "client-key-data": base64.b64encode(client.key_pem.encode()).decode(),
        },
    )
    with OpenShift(config) as cluster:
        assert cluster.version() == "v1.36.2"
        assert sorted(tmp_path.rglob("*")) == before
    assert "Authorization" not in scripted.requests[0][2]


def test_the_token_goes_into_the_header_and_nowhere_else(
    scripted: Scripted, cluster: OpenShift, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answers["/version/"] = Answer.json(_version("v1.36.2"))
    with caplog.at_level("DEBUG"):
        cluster.version()
    method, path, headers, body = scripted.requests[0]
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in method + path + body.decode() + caplog.text + repr(cluster)


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


def test_the_state_of_a_secret_store_comes_with_its_events(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers["/apis/external-secrets.io/v1/namespaces/vault/secretstores/opf-vault-store"] = (
        Answer.json(
            {
                "status": {
                    "conditions": [
                        {"type": "Synced", "status": "True"},
                        {
                            "type": "Ready",
                            "status": "False",
                            "reason": "InvalidProviderConfig",
                            "message": "unable to create client",
                        },
                    ]
                }
            }
        )
    )
    first = _event("Normal", "Created", "seen", "2026-01-01T00:00:00Z")
    last = _event("Warning", "InvalidProviderConfig", "permission denied", "2026-01-01T00:05:00Z")
    scripted.answers["/api/v1/namespaces/vault/events"] = Answer.json({"items": [last, first, last]})
    state = cluster.secret_store("vault", "opf-vault-store", "v1")
    assert state is not None
    assert state.ready is False
    assert (state.reason, state.message) == ("InvalidProviderConfig", "unable to create client")
    assert state.events == (
        "Normal Created: seen",
        "Warning InvalidProviderConfig: permission denied",
    )


def test_a_secret_store_that_nobody_looked_at_is_neither_ready_nor_failed(
    scripted: Scripted, cluster: OpenShift
) -> None:
    path = "/apis/external-secrets.io/v1/namespaces/vault/secretstores/opf-vault-store"
    scripted.answers[path] = Answer.json({"spec": {}})
    scripted.answers["/api/v1/namespaces/vault/events"] = Answer.refusal(403, "no")
    state = cluster.secret_store("vault", "opf-vault-store", "v1")
    assert state is not None
    assert state.ready is None
    assert state.events == ()


def test_a_kind_that_is_not_served_is_absent_and_a_web_page_is_not(
    scripted: Scripted, cluster: OpenShift
) -> None:
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    store = "/apis/external-secrets.io/v1/namespaces/vault/secretstores/opf-vault-store"
    scripted.answers[store] = Answer(404, b"404 page not found\n", plain)
    assert cluster.secret_store("vault", "opf-vault-store", "v1") is None
    scripted.answers[store] = Answer(404, b"<html>404</html>", {"Content-Type": "text/html"})
    with pytest.raises(UnexpectedAnswer):
        cluster.secret_store("vault", "opf-vault-store", "v1")
    scripted.answers[NAMESPACE] = Answer(404, b"404 page not found\n", plain)
    with pytest.raises(UnexpectedAnswer):
        cluster.namespace_exists("vault")


def test_a_crd_serves_nothing_until_it_is_established(scripted: Scripted, cluster: OpenShift) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/secretstores.external-secrets.io"
    scripted.answers[path] = Answer.json(_crd("False"))
    assert cluster.served_versions("secretstores.external-secrets.io") == ()
    scripted.answers[path] = Answer.json(_crd("True"))
    assert cluster.served_versions("secretstores.external-secrets.io") == ("v1", "v1beta1")
    assert cluster.served_versions("externalsecrets.external-secrets.io") == ()


def test_an_openshift_cluster_says_who_it_is_and_a_plain_kubernetes_does_not(
    scripted: Scripted, cluster: OpenShift
) -> None:
    assert cluster.infrastructure() is None
    assert cluster.ingress_domain() is None
    base = "/apis/config.openshift.io/v1"
    scripted.answers[f"{base}/infrastructures/cluster"] = Answer.json(
        {
            "status": {
                "infrastructureName": "ember-x7k2p",
                "apiServerURL": "https://api.ember.example.com:6443",
            }
        }
    )
    scripted.answers[f"{base}/ingresses/cluster"] = Answer.json(
        {"spec": {"domain": "apps.ember.example.com"}}
    )
    found = cluster.infrastructure()
    assert found is not None
    assert (found.name, found.api_server_url) == ("ember-x7k2p", "https://api.ember.example.com:6443")
    assert cluster.ingress_domain() == "apps.ember.example.com"


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


def _version(git_version: str) -> dict[str, str]:
    names = ["buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "major", "minor", "platform"]
    return {**dict.fromkeys(names, "x"), "gitVersion": git_version}


def _secret(kind: str, **data: str) -> dict[str, object]:
    annotations = {"kubernetes.io/service-account.name": "eso-vault-auth"}
    return {
        "metadata": {"name": "reviewer", "uid": "u", "annotations": annotations},
        "type": kind,
        "data": data,
    }


def _event(kind: str, reason: str, message: str, time: str) -> dict[str, object]:
    involved = {"kind": "SecretStore", "name": "opf-vault-store"}
    return {
        "metadata": {"name": reason.lower()},
        "involvedObject": involved,
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": time,
    }


def _crd(established: str) -> dict[str, object]:
    def version(name: str, *, served: bool) -> dict[str, object]:
        return {"name": name, "served": served, "storage": name == "v1"}

    return {
        "metadata": {"name": "secretstores.external-secrets.io"},
        "spec": {
            "group": "external-secrets.io",
            "names": {"kind": "SecretStore", "plural": "secretstores"},
            "scope": "Namespaced",
            "versions": [
                version("v1", served=True),
                version("v1beta1", served=True),
                version("v1alpha1", served=False),
            ],
        },
        "status": {"conditions": [{"type": "Established", "status": established}]},
    }
