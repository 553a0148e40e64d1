"""The connection to an API server: whether there is one, whom it believes, and what it shows of itself."""

from __future__ import annotations

import base64
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from deployments.sandbox.certificates import CertificateAuthority
from runbook.errors import CertificateNotTrusted, UnexpectedAnswer, Unreachable
from systems.openshift import OpenShift
from tests.systems.openshift.scripted_api import TOKEN, Answer, Scripted, kubeconfig, scripted_server


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


def _version(git_version: str) -> dict[str, str]:
    names = ["buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "major", "minor", "platform"]
    return {**dict.fromkeys(names, "x"), "gitVersion": git_version}
