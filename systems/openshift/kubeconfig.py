"""A kubeconfig that comes from a Prefect Block, read without touching the machine it is read on.

`kubernetes.config` is made for a person's own machine: it follows file names, runs exec plugins, refreshes
tokens of auth providers, and writes inline certificates and keys to temporary files. On a worker a file name
means another machine's file, an exec plugin is somebody else's program, and a key in ``/tmp`` is a leak. So
the few fields that make up a login are read here, and everything else is refused by name.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

from pydantic import SecretStr

from runbook.errors import InvalidInput
from systems.tls import expires_at

_FLATTEN = (
    "Put the output of `oc config view --minify --flatten --raw` into the ClusterConnection: "
    "it has certificates and keys inline."
)
_SERVICE_ACCOUNT = (
    "Use the kubeconfig of a ServiceAccount with a token (`oc create token`), or one made by `oc login`."
)

_REFUSED_OF_CLUSTER = {
    "certificate-authority": ("names a file of another machine", _FLATTEN),
}
_REFUSED_OF_USER = {
    "exec": ("is an exec plugin: it would run a program on the worker", _SERVICE_ACCOUNT),
    "auth-provider": ("is an auth provider, which Kubernetes removed in 1.26", _SERVICE_ACCOUNT),
    "tokenFile": ("names a file of another machine", "Put the token itself into `token`."),
    "client-certificate": ("names a file of another machine", _FLATTEN),
    "client-key": ("names a file of another machine", _FLATTEN),
    "username": ("is basic authentication, which Kubernetes removed in 1.19", _SERVICE_ACCOUNT),
    "password": ("is basic authentication, which Kubernetes removed in 1.19", _SERVICE_ACCOUNT),
    "as": ("asks for impersonation", "Use credentials of the user whose rights are meant."),
    "as-uid": ("asks for impersonation", "Use credentials of the user whose rights are meant."),
    "as-groups": ("asks for impersonation", "Use credentials of the user whose rights are meant."),
    "as-user-extra": ("asks for impersonation", "Use credentials of the user whose rights are meant."),
}


@dataclass(frozen=True, slots=True)
class Login:
    """Where an API server is, whom we believe there, and as whom we come.

    Args:
        host: ``https://host[:port][/path]``, without a trailing slash.
        ca_pem: the only trusted certificates; the machine's store when None.
        server_name: name to expect in the certificate instead of the one in ``host``; empty for none.
        proxy: URL of the proxy for this cluster; empty for none.
        token: bearer token.
        certificate_pem: client certificate, its key in ``key_pem``; sent beside a token, as client-go does.
    """

    host: str
    ca_pem: str | None = None
    server_name: str = ""
    proxy: str = ""
    token: SecretStr | None = None
    certificate_pem: str | None = None
    key_pem: SecretStr | None = None

    @property
    def expires_at(self) -> datetime | None:
        """When the credentials end, if they say so: a JWT and a certificate do, ``sha256~`` tokens do not."""
        if self.token:
            return _end_of_jwt(self.token.get_secret_value())
        return expires_at(self.certificate_pem) if self.certificate_pem else None


def read_kubeconfig(kubeconfig: Mapping[str, Any], context: str | None = None) -> Login:
    """The login of one context, by default the current one.

    Raises:
        InvalidInput: names the field that is missing or cannot be used, and what to do; never a credential.
    """
    name = context or _text(kubeconfig, "current-context", "kubeconfig")
    if not name:
        known = ", ".join(_names(kubeconfig, "contexts")) or "none"
        _refuse(
            "kubeconfig, current-context", f"is not set; contexts there: {known}", "Name the context to use."
        )
    chosen = _entry(kubeconfig, "contexts", "context", name)
    cluster_name = _text(chosen, "cluster", f"kubeconfig, context {name!r}")
    user_name = _text(chosen, "user", f"kubeconfig, context {name!r}")
    cluster = _entry(kubeconfig, "clusters", "cluster", cluster_name)
    user = _entry(kubeconfig, "users", "user", user_name)
    of_cluster, of_user = f"kubeconfig, cluster {cluster_name!r}", f"kubeconfig, user {user_name!r}"
    _refuse_fields(cluster, _REFUSED_OF_CLUSTER, of_cluster)
    _refuse_fields(user, _REFUSED_OF_USER, of_user)
    if cluster.get("insecure-skip-tls-verify"):
        _refuse(
            f"{of_cluster}: insecure-skip-tls-verify",
            "would send credentials to whoever answers",
            "Give certificate-authority-data instead; `oc login` with a trusted CA writes it.",
        )
    token = _text(user, "token", of_user).strip()
    if not token.isascii() or any(character.isspace() or not character.isprintable() for character in token):
        _refuse(f"{of_user}: token", "has blanks or characters that no token has", "Paste it again.")
    certificate, key = (
        _decoded(user, "client-certificate-data", of_user),
        _decoded(user, "client-key-data", of_user),
    )
    if bool(certificate) != bool(key):
        absent = "client-key-data" if certificate else "client-certificate-data"
        _refuse(f"{of_user}: {absent}", "is missing, a client certificate needs its key", _FLATTEN)
    if not token and not certificate:
        _refuse(of_user, "has neither a token nor a client certificate", _SERVICE_ACCOUNT)
    return Login(
        host=check_server(_text(cluster, "server", of_cluster), f"{of_cluster}: server"),
        ca_pem=_decoded(cluster, "certificate-authority-data", of_cluster) or None,
        server_name=_text(cluster, "tls-server-name", of_cluster),
        proxy=_text(cluster, "proxy-url", of_cluster),
        token=SecretStr(token) if token else None,
        certificate_pem=certificate or None,
        key_pem=SecretStr(key) if key else None,
    )


def _refuse(subject: str, answer: str, remedy: str) -> NoReturn:
    raise InvalidInput("input", subject, answer, remedy)


def _refuse_fields(fields: Mapping[str, Any], refused: Mapping[str, tuple[str, str]], owner: str) -> None:
    for field, (answer, remedy) in refused.items():
        if fields.get(field):
            _refuse(f"{owner}: {field}", answer, remedy)


def _names(kubeconfig: Mapping[str, Any], section: str) -> list[str]:
    entries = kubeconfig.get(section)
    if not isinstance(entries, list):
        return []
    return [str(entry["name"]) for entry in entries if isinstance(entry, Mapping) and "name" in entry]


def _entry(kubeconfig: Mapping[str, Any], section: str, key: str, name: str) -> Mapping[str, Any]:
    if not isinstance(kubeconfig.get(section), list):
        _refuse(
            f"kubeconfig, {section}",
            "is missing",
            "Give a whole kubeconfig, as `oc login` or `oc config view` makes it.",
        )
    for entry in kubeconfig[section]:
        if isinstance(entry, Mapping) and entry.get("name") == name:
            fields = entry.get(key)
            if isinstance(fields, Mapping):
                return fields
            _refuse(f"kubeconfig, {key} {name!r}", "is empty", _FLATTEN)
    known = ", ".join(_names(kubeconfig, section)) or "none"
    _refuse(
        f"kubeconfig, {key} {name!r}",
        f"is not there; {section} there: {known}",
        f"Correct the name, or add the {key}.",
    )


def _text(fields: Mapping[str, Any], field: str, owner: str) -> str:
    value = fields.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse(f"{owner}: {field}", "is not text", "Put it in quotes.")
    return value


def _decoded(fields: Mapping[str, Any], field: str, owner: str) -> str:
    try:
        return base64.b64decode("".join(_text(fields, field, owner).split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        # The cause would quote what may be a private key.
        problem = "is not base64 of PEM text"
    _refuse(f"{owner}: {field}", problem, _FLATTEN)


def check_server(server: str, subject: str) -> str:
    """``server`` without a trailing slash, if it is the https address of an API server.

    Raises:
        InvalidInput: it is not; credentials in it are not repeated.
    """
    usable = False
    with suppress(ValueError):  # a bracket that is not closed, a port that is none
        parts = urlsplit(server)
        if parts.username or parts.password:
            _refuse(subject, "holds a user name or password", "Give the address alone.")
        usable = (
            parts.scheme == "https"
            and bool(parts.hostname)
            and not (parts.query or parts.fragment)
            and (parts.port is None or parts.port > 0)
        )
    if not usable:
        _refuse(subject, f"{server!r} is not https://host[:port]", "Give the address that `oc` uses.")
    return server.rstrip("/")


def _end_of_jwt(token: str) -> datetime | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
