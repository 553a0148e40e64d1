"""Which addresses are the same API server, and which texts the same CA."""

from __future__ import annotations

import pytest

from runbook.hosts import same_api_server, same_ca, without_credentials

RANCHER = "https://rancher.example.com/k8s/clusters/c-m-aaaa"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://api.example.com:6443", "https://api.example.com:6443/"),
        ("https://API.example.com:443/", "https://api.example.com"),
        ("https://api.example.com.:6443", "https://api.example.com:6443"),
        ("api.example.com:6443", "https://api.example.com:6443"),
        ("https://somebody:word@api.example.com", "https://api.example.com"),
        (" https://api.example.com\n", "https://api.example.com"),
        ("https://[fd00::1]:6443", "https://[FD00:0::1]:6443/"),
        ("[fd00::1]:6443", "https://[fd00:0:0:0:0:0:0:1]:6443"),
        ("https://[::ffff:10.0.0.1]:6443", "https://10.0.0.1:6443"),
        (RANCHER, f"{RANCHER}/"),
        (RANCHER, RANCHER.replace("/k8s/", "//k8s/").replace("c-m", "c%2Dm")),
        ("not an address", "not an address"),
    ],
)
def test_spellings_of_one_api_server(one: str, other: str) -> None:
    assert same_api_server(one, other)
    assert same_api_server(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://api.example.com:6443", "https://api.example.com:6444"),
        ("https://api.example.com:6443", "https://api.example.com"),
        ("https://api.example.com", "http://api.example.com"),
        ("https://api.ember.example.com", "https://api.flint.example.com"),
        (RANCHER, RANCHER.replace("aaaa", "bbbb")),
        (RANCHER, RANCHER.replace("aaaa", "AAAA")),
        (RANCHER, "https://rancher.example.com"),
        ("https://proxy.example.com/ember", "https://proxy.example.com/flint"),
        ("https://[fd00::1]:6443", "https://[fd00::2]:6443"),
        ("https://api:port", "https://api"),
        ("https://[", "https://]"),
        ("", "https://api.example.com"),
    ],
)
def test_different_api_servers(one: str, other: str) -> None:
    assert not same_api_server(one, other)


def pem(body: str, kind: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (pem("QUFB\nQkJC") + pem("Q0ND"), True),
        ("# Añb\r\n" + pem("Q0ND") + "\n" + pem("QUFBQkJC").replace("\n", "\r\n"), True),
        (pem("QUFBQkJC"), False),
        (pem("QUFBQkJC") + pem("Q0ND") + pem("S0VZ", "PRIVATE KEY"), False),
        ("no PEM", False),
        # A pattern with two repetitions would need minutes.
        ("-----BEGIN A-----" * 100_000, False),
        ("-----BEGIN A-----" * 100_000 + "\n" + pem("QUFBQkJC") + pem("Q0ND"), True),
        ("", False),
    ],
)
def test_a_ca_is_the_same_if_its_certificates_are(other: str, *, same: bool) -> None:
    assert same_ca(pem("QUFBQkJC") + pem("Q0ND"), other) is same


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://somebody:word@api.example.com:6443/path", "https://api.example.com:6443/path"),
        ("somebody:word@api.example.com", "api.example.com"),
        ("https://somebody:w/o@r\nd@api", "https://api"),
        ("https://api.example.com", "https://api.example.com"),
        ("api//somewhere", "api//somewhere"),
        ("//" * 500_000, "//" * 500_000),  # a pattern would need minutes
        ("", ""),
    ],
)
def test_an_address_is_shown_without_credentials(address: str, shown: str) -> None:
    assert without_credentials(address) == shown
