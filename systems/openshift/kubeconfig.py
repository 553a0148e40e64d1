"""A kubeconfig that was handed over as text, read without touching the machine it is read on.

`kubernetes.config` is made for a person's own machine: it follows file names, runs exec plugins, refreshes
tokens of auth providers, and writes inline certificates and keys to temporary files. On a worker a file name
means another machine's file, an exec plugin is somebody else's program, and a key in ``/tmp`` is a leak. So
the few fields that make up a login are read here, and everything else is refused by name.
"""

from __future__ import annotations

import base64
import os
import ssl
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import SecretStr

from runbook.addresses import check_address, check_header
from runbook.diagnosis.claims import claims_of
from runbook.documents import document_of
from runbook.errors import InvalidInput
from systems.tls import expires_at, trusted_context
from systems.trust import certificates

_FLATTEN = "Use the output of `oc config view --minify --flatten --raw`: it has certificates and keys inline."
_SERVICE_ACCOUNT = (
    "Use the kubeconfig of a ServiceAccount with a token (`oc create token`), or one made by `oc login`."
)

_REFUSED = {
    "exec": ("is an exec plugin: it would run a program on the worker", _SERVICE_ACCOUNT),
    "auth-provider": ("is an auth provider, which Kubernetes removed in 1.26", _SERVICE_ACCOUNT),
    "tokenFile": ("names a file of another machine", "Put the token itself into `token`."),
    **dict.fromkeys(
        ("certificate-authority", "client-certificate", "client-key"),
        ("names a file of another machine", _FLATTEN),
    ),
    **dict.fromkeys(
        ("username", "password"),
        ("is basic authentication, which Kubernetes removed in 1.19", _SERVICE_ACCOUNT),
    ),
    **dict.fromkeys(
        ("as", "as-uid", "as-groups", "as-user-extra"),
        ("asks for impersonation", "Use the credentials of that user instead."),
    ),
    "insecure-skip-tls-verify": (
        "would send credentials to any server that answers",
        "Set certificate-authority-data instead; `oc login` with a trusted CA writes it.",
    ),
}
"""Fields of a cluster or user that are refused: why, and what to give instead."""


def _refuse(subject: str, answer: str, remedy: str) -> NoReturn:
    raise InvalidInput("input", subject, answer, remedy)


@dataclass(frozen=True, slots=True)
class Login:
    """Where an API server is, whom we believe there, and as whom we come.

    Args:
        host: ``https://host[:port][/path]``, without a trailing slash.
        ca_pem: the only trusted certificates; the machine's store when None.
        server_name: name to expect in the certificate instead of the one in ``host``; empty for none.
        proxy: ``http://host:port`` of the proxy for this cluster; empty for that of the environment, if any.
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
            claims = claims_of(self.token)
            return claims.expires if claims else None
        return expires_at(self.certificate_pem) if self.certificate_pem else None

    @property
    def may_be_scoped(self) -> bool:
        """Whether it is a token of OpenShift's OAuth server: its scopes may give less than its user may."""
        return self.token is not None and self.token.get_secret_value().startswith("sha256~")

    def ssl_context(self) -> ssl.SSLContext:
        """Whom this login believes, and the client certificate that it shows.

        Raises:
            InvalidInput: certificate and key are no PEM, or do not belong together.
        """
        context = trusted_context(self.ca_pem, "kubeconfig, certificate-authority-data")
        if not self.certificate_pem or not self.key_pem:
            return context
        with _as_file(f"{self.certificate_pem}\n{self.key_pem.get_secret_value()}") as pair:
            try:
                context.load_cert_chain(pair)
            except ssl.SSLError as error:
                problem = error.reason or "unreadable"
            else:
                return context
        subject = "kubeconfig, client-certificate-data and client-key-data"
        _refuse(subject, f"are not a PEM certificate and its key ({problem})", _FLATTEN)


def parse_kubeconfig(text: str, subject: str) -> Mapping[str, Any]:
    """The content of a kubeconfig.

    Raises:
        InvalidInput: it is not one; ``subject`` names it for the reader. The text is not repeated.
    """
    try:
        parsed = document_of(text)
    except yaml.YAMLError:
        parsed = None  # the parser's error quotes the text
    if not isinstance(parsed, Mapping):
        _refuse(
            subject,
            "is not a YAML mapping",
            "Use the text of a kubeconfig, as `oc config view --minify --flatten --raw` prints it.",
        )
    return parsed


def read_kubeconfig(kubeconfig: Mapping[str, Any], context: str | None = None) -> Login:
    """The login of one context, by default the current one.

    Raises:
        InvalidInput: names the field that is missing or cannot be used, and what to do; never a credential.
    """
    whole = _Part("kubeconfig", kubeconfig)
    name = context or whole.text("current-context")
    if not name:
        answer = f"is not set; its contexts: {_known(_entries(kubeconfig, 'contexts'))}"
        _refuse("kubeconfig, current-context", answer, "Set it, or context of the ClusterConnection.")
    chosen = _part(kubeconfig, "contexts", name)
    cluster = _part(kubeconfig, "clusters", chosen.text("cluster"))
    user = _part(kubeconfig, "users", chosen.text("user"))
    for part in (cluster, user):
        for refused in filter(part.fields.get, _REFUSED):
            _refuse(f"{part.owner}: {refused}", *_REFUSED[refused])
    token = user.text("token")
    if token:
        check_header(token, f"{user.owner}: token")
    certificate, key = user.decoded("client-certificate-data"), user.decoded("client-key-data")
    if bool(certificate) != bool(key):
        absent = "client-key-data" if certificate else "client-certificate-data"
        _refuse(f"{user.owner}: {absent}", "is missing: a client certificate needs its key", _FLATTEN)
    if not token and not certificate:
        _refuse(user.owner, "has neither a token nor a client certificate", _SERVICE_ACCOUNT)
    server_name = cluster.text("tls-server-name")
    if server_name:
        check_address(f"https://{server_name}", f"{cluster.owner}: tls-server-name")
    authority = cluster.decoded("certificate-authority-data", "replace")
    return Login(
        host=check_address(cluster.text("server"), f"{cluster.owner}: server").rstrip("/"),
        ca_pem=certificates(authority, f"{cluster.owner}: certificate-authority-data") if authority else None,
        server_name=server_name,
        proxy=_proxy(cluster.text("proxy-url"), f"{cluster.owner}: proxy-url"),
        token=SecretStr(token) if token else None,
        certificate_pem=certificate or None,
        key_pem=SecretStr(key) if key else None,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Fields of a kubeconfig, and what they are fields of, for the reader of an error."""

    owner: str
    fields: Mapping[str, Any] = field(repr=False)

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            _refuse(f"{self.owner}: {name}", "is not text", "Put it in quotes.")
        return value or ""

    def decoded(self, name: str, errors: str = "strict") -> str:
        try:
            encoded = "".join(self.text(name).split())
            return base64.b64decode(encoded, validate=True).decode(errors=errors)
        except ValueError:
            # The cause would quote what may be a private key.
            problem = "is not base64 of PEM text"
        _refuse(f"{self.owner}: {name}", problem, _FLATTEN)


def _part(kubeconfig: Mapping[str, Any], section: str, name: str) -> _Part:
    key, entries = section.removesuffix("s"), _entries(kubeconfig, section)
    owner = f"kubeconfig, {key} {name!r}"
    if not isinstance(kubeconfig.get(section), list):
        remedy = "Use a whole kubeconfig, as `oc config view --minify --flatten --raw` prints it."
        _refuse(f"kubeconfig, {section}", "is missing", remedy)
    for entry in entries:
        if entry["name"] == name:
            if isinstance(entry.get(key), Mapping):
                return _Part(owner, entry[key])
            _refuse(owner, "is empty", _FLATTEN)
    answer = f"is not there; its {section}: {_known(entries)}"
    _refuse(owner, answer, f"Correct the name, or add the {key}.")


def _entries(kubeconfig: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    entries = kubeconfig.get(section)
    entries = entries if isinstance(entries, list) else []
    return [entry for entry in entries if isinstance(entry, Mapping) and "name" in entry]


def _known(entries: list[Mapping[str, Any]]) -> str:
    return ", ".join(str(entry["name"]) for entry in entries) or "none"


def _proxy(address: str, subject: str) -> str:
    if address and not address.startswith("http://"):
        _refuse(
            subject,
            "is not the address of an http proxy; others (socks5, https) are not supported",
            "Write it as http://host:port. What goes through it is encrypted all the same.",
        )
    return check_address(address, subject, http="always") if address else ""


@contextmanager
def _as_file(pem: str) -> Iterator[str]:
    """A path at which OpenSSL, which reads keys from files only, finds a certificate and its key.

    On Linux it leads to memory that has no name on any disk: a process that is killed leaves no key behind.
    Elsewhere it is a file (0600) in a directory (0700), both gone when the block ends.
    """
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("client.pem"), "w") as memory:
            memory.write(pem)
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with tempfile.TemporaryDirectory() as directory:
        pair = Path(directory, "client.pem")
        pair.touch(mode=0o600)
        pair.write_text(pem)
        yield str(pair)
