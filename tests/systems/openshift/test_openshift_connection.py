"""The connection to an API server: whether there is one, whom it believes, and what it shows of itself."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import CertificateNotTrusted, EnablementError, UnexpectedAnswer
from sandbox.certificates import CertificateAuthority
from systems.openshift import OpenShift
from tests.systems.openshift.scripted_api import (
    TOKEN,
    Answer,
    Scripted,
    certificate_fields,
    kubeconfig,
    scripted_server,
)

VERSION = Answer.json({"gitVersion": "v1.29.6+aba1e8d", "major": "1"})


def refused_with(kubeconfig: dict[str, Any], error: type[EnablementError], says: str) -> None:
    with OpenShift(kubeconfig, timeout=0.3) as cluster, pytest.raises(error, match=says):
        cluster.version()


def test_the_name_in_the_certificate_counts_or_the_tls_server_name_of_the_kubeconfig(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    names = ("api.ember.example.com", "192.0.2.7")
    with scripted_server(tmp_path, authority, names) as script:
        script.answers["/version/"] = VERSION
        config = script.kubeconfig()
        missing = r"not valid for 127\.0\.0\.1, only for api\.ember\.example\.com, 192\.0\.2\.7"
        refused_with(config, CertificateNotTrusted, missing)
        config["clusters"][0]["cluster"]["tls-server-name"] = "api.other.example.com"
        refused_with(config, CertificateNotTrusted, "host name")
        config["clusters"][0]["cluster"]["tls-server-name"] = names[0]
        with OpenShift(config) as cluster:
            assert cluster.version() == "v1.29.6+aba1e8d"


def test_a_server_without_tls_is_not_taken_for_an_untrusted_one(authority: CertificateAuthority) -> None:
    def greet(listener: socket.socket) -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:  # closed: the test is over
                return
            with connection, suppress(OSError):  # the client may be gone already
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=greet, args=(plain,), daemon=True).start()
        url = f"https://127.0.0.1:{plain.getsockname()[1]}"
        refused_with(kubeconfig(url, authority.pem), UnexpectedAnswer, "the TLS handshake failed")


def test_a_client_certificate_is_presented_and_leaves_no_file(temporary: Path, scripted: Scripted) -> None:
    client = CertificateAuthority("clients").issue("system:admin")
    scripted.answers["/version/"] = VERSION
    config = scripted.kubeconfig(token="", **certificate_fields(client.certificate_pem, client.key_pem))
    with OpenShift(config) as cluster:
        assert cluster.version() == "v1.29.6+aba1e8d"
        assert list(temporary.rglob("*")) == []
    assert "Authorization" not in scripted.requests[0][2]


def test_the_token_goes_into_the_header_and_nowhere_else(
    scripted: Scripted, cluster: OpenShift, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answers["/version/"] = VERSION
    with caplog.at_level("DEBUG"):
        cluster.version()
    method, path, headers, body = scripted.requests[0]
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["User-Agent"] == "vault-enablement"
    assert TOKEN not in method + path + body.decode() + caplog.text + repr(cluster)
