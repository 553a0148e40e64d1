"""Whether a config leads to the API server of the ClusterConnection, whatever stands in it."""

from __future__ import annotations

import pytest

from runbook.diagnosis.causes import Causes
from runbook.diagnosis.config_differs import config_differs
from sandbox.certificates import CertificateAuthority

HOST, CA = "https://api.ember.example.com:6443", CertificateAuthority("ember's").pem


@pytest.mark.parametrize(
    "host",
    [
        "https://elsewhere.example.com",
        "api.ember.example.com:6443",
        "https://[::1",
        "https://a..b",
        f"https://{'a' * 64}.example.com",
        "https://127.0.0.1:0",
        "https://",
    ],
)
def test_another_host_is_said_as_it_stands_even_if_no_url_can_have_it(host: str) -> None:
    differences = f"kubernetes_host is {host}, the connection has {HOST}"
    cause = config_differs("ember-k8s", {"kubernetes_host": host, "kubernetes_ca_cert": CA}, HOST, CA)
    assert cause == Causes.CONFIG_DIFFERS.of(mount="ember-k8s", differences=differences)


@pytest.mark.parametrize("host", [HOST, HOST.replace("https", "HTTPS"), f"{HOST}/"])
def test_a_host_that_is_only_spelled_otherwise_is_the_same(host: str) -> None:
    assert config_differs("ember-k8s", {"kubernetes_host": host, "kubernetes_ca_cert": CA}, HOST, CA) is None


@pytest.mark.parametrize("ca", [CertificateAuthority("another").pem, "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t", ""])
def test_another_ca_is_said(ca: str) -> None:
    cause = config_differs("ember-k8s", {"kubernetes_host": HOST, "kubernetes_ca_cert": ca}, HOST, CA)
    differences = "kubernetes_ca_cert is not the connection's CA"
    assert cause == Causes.CONFIG_DIFFERS.of(mount="ember-k8s", differences=differences)


def test_a_config_that_was_never_written_leads_nowhere() -> None:
    assert config_differs("ember-k8s", None, HOST, CA) is None
