"""A kubeconfig from a Block: what is used, what is refused, and that no credential comes back out."""

from __future__ import annotations

import base64
import datetime
import traceback
from typing import Any

import jwt
import pytest

from runbook.errors import InvalidInput
from sandbox.certificates import CertificateAuthority
from systems.openshift import OpenShift
from systems.openshift.kubeconfig import parse_kubeconfig, read_kubeconfig
from tests.systems.openshift.scripted_api import certificate_fields, kubeconfig

HOST = "https://api.ember.example.com:6443"
AUTHORITY = CertificateAuthority("authority of a kubeconfig")
CA, KEY = AUTHORITY.pem, AUTHORITY.issue("somebody").key_pem
SECRET = "sha256~do-not-print-me"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_token_and_an_inline_ca_are_a_login() -> None:
    login = read_kubeconfig(kubeconfig(HOST + "/", CA, token=SECRET))
    assert login.host == HOST
    assert login.ca_pem == CA
    assert login.token is not None
    assert login.token.get_secret_value() == SECRET
    assert SECRET not in repr(login)


def test_a_kubeconfig_without_a_ca_means_the_store_of_the_machine() -> None:
    assert read_kubeconfig(kubeconfig(HOST, None)).ca_pem is None


def test_a_named_context_is_used_instead_of_the_current_one() -> None:
    config = kubeconfig(HOST, CA)
    config["contexts"].append({"name": "other", "context": {"cluster": "second", "user": "pipeline"}})
    config["clusters"].append({"name": "second", "cluster": {"server": "https://second.example.com"}})
    assert read_kubeconfig(config, "other").host == "https://second.example.com"
    assert read_kubeconfig(config).host == HOST


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("exec", {"command": "aws", "env": [{"name": "K", "value": SECRET}]}, "run a program on the worker"),
        ("auth-provider", {"name": "oidc", "config": {"id-token": SECRET}}, "auth provider"),
        ("tokenFile", "/var/run/token", "file of another machine"),
        ("client-certificate", "/home/me/client.crt", "file of another machine"),
        ("client-key", "/home/me/client.key", "file of another machine"),
        ("password", SECRET, "basic authentication"),
        ("as", "system:admin", "impersonation"),
        ("client-key-data", encoded(SECRET), "client-certificate-data"),
        ("client-certificate-data", encoded(CA), "client-key-data"),
        ("client-key-data", "not base64 " + SECRET, "not base64"),
        ("client-key-data", f"é{SECRET}", "not base64"),
        ("client-key-data", 7, "is not text"),
        ("token", f"two\n{SECRET}", "has a blank, a line end"),
        ("token", f"{SECRET} ", "has a blank, a line end"),
    ],
)
def test_a_login_that_cannot_be_used_here_is_refused_by_its_field(field: str, value: Any, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_kubeconfig(kubeconfig(HOST, CA, **{field: value}))
    assert says in str(caught.value)
    assert "user 'pipeline'" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"server": ""}, "not https://"),
        ({"server": "http://api.ember.example.com"}, "not https://"),
        ({"server": "https://api.ember.example.com:port"}, "not https://"),
        ({"server": "https://[::1:6443"}, "not https://"),
        ({"server": f"https://me:{SECRET}@api.ember.example.com"}, "user name or password"),
        ({"insecure-skip-tls-verify": True}, "any server that answers"),
        ({"certificate-authority": "/etc/ca.crt"}, "file of another machine"),
        ({"certificate-authority-data": "%%%"}, "not base64"),
        ({"certificate-authority-data": "é"}, "not base64"),
        ({"certificate-authority-data": encoded(CA + KEY)}, "holds a private key"),
        ({"certificate-authority-data": encoded("not a certificate")}, "certificate-authority-data"),
        ({"proxy-url": "socks5://proxy.example.com:1080"}, "proxy-url: is not the address of an"),
        ({"proxy-url": f"http://me:{SECRET}@proxy.example.com"}, "user name or password"),
        ({"tls-server-name": f"a {SECRET}"}, "tls-server-name: has a blank"),
    ],
)
def test_a_cluster_that_cannot_be_used_here_is_refused_by_its_field(
    fields: dict[str, Any], says: str
) -> None:
    config = kubeconfig(HOST, CA)
    config["clusters"][0]["cluster"] = {"server": HOST, **fields}
    with pytest.raises(InvalidInput) as caught:
        read_kubeconfig(config)
    assert says in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "text",
    [
        "preferences: {since: 2026-02-30}",
        "[" * 1000,
        f"token: [{SECRET}",
        f"? !!python/name:{SECRET}",
        f"token: !!bool {SECRET}",
        f"token: !!int {SECRET}",
        SECRET,
    ],
    ids=["no date", "brackets", "no YAML", "a tag of Python", "no truth", "no number", "no mapping"],
)
def test_a_text_that_is_no_kubeconfig_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(InvalidInput, match="kubeconfig of a test: is not a YAML mapping") as caught:
        parse_kubeconfig(text, "kubeconfig of a test")
    assert caught.value.__context__ is None
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "current-context"),
        ({"current-context": "here"}, "contexts: is missing"),
        ({"current-context": "here", "contexts": []}, "context 'here': is not there; its contexts: none"),
        ({"current-context": "here", "contexts": [{"name": "here"}]}, "context 'here': is empty"),
        ({"current-context": ["here"]}, "current-context: is not text"),
        (
            kubeconfig(HOST, CA) | {"current-context": "there"},
            "context 'there': is not there; its contexts: here",
        ),
        (kubeconfig(HOST, CA, token=""), "neither a token nor a client certificate"),
    ],
)
def test_a_kubeconfig_with_a_hole_is_refused_by_what_is_missing(config: Any, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_kubeconfig(config)
    assert says in str(caught.value)


def test_a_client_key_that_does_not_fit_its_certificate_is_refused_without_showing_it() -> None:
    authority = CertificateAuthority("clients")
    certificate, other = authority.issue("me").certificate_pem, authority.issue("other").key_pem
    config = kubeconfig(HOST, CA, token="", **certificate_fields(certificate, other))
    with pytest.raises(InvalidInput, match="client-certificate-data and client-key-data") as caught:
        OpenShift(config)
    assert other[40:80] not in "".join(traceback.format_exception(caught.value))


def test_the_end_of_a_jwt_and_of_a_client_certificate_are_known_beforehand() -> None:
    end = datetime.datetime(2031, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
    token = jwt.encode({"exp": end}, "a-key-of-some-length-for-hs256-signing")
    assert read_kubeconfig(kubeconfig(HOST, CA, token=token)).expires_at == end
    assert read_kubeconfig(kubeconfig(HOST, CA, token="sha256~opaque")).expires_at is None
    issued = CertificateAuthority("clients").issue("me", lifetime=datetime.timedelta(days=2))
    config = kubeconfig(HOST, CA, token="", **certificate_fields(issued.certificate_pem, issued.key_pem))
    expires_at = read_kubeconfig(config).expires_at
    assert expires_at is not None
    left = expires_at - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=1, hours=23) < left < datetime.timedelta(days=2, minutes=1)
