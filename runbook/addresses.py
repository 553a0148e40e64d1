"""What people put into a connection, checked in one place: addresses, and texts that become HTTP headers.

HTTP libraries quote a header or an address that they cannot send in their errors, and some send a user name
and password of an address in clear. So both are checked before any library sees them, and no error here shows
the value.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal
from urllib.parse import urljoin, urlsplit

from pydantic import SecretStr

from runbook.errors import InvalidInput

Http = Literal["never", "loopback", "always"]
"""To which hosts plain HTTP may go."""

_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
"""Those of a URI, RFC 3986."""

_SERVER = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?)(:(?P<port>[0-9]{1,5}))?", re.I
)
_VISIBLE_ASCII = re.compile(r"[!-~]+")


def check_address(address: str, field: str, *, http: Http = "never") -> str:
    """``address``, if it is ``https://host[:port][/path]``.

    Args:
        address: what somebody gave.
        field: what the reader knows it by: ``"address of the VaultConnection"``.
        http: to which hosts ``http://`` is allowed as well.

    Raises:
        InvalidInput: it is something else, or holds a user name, a password, a query or a fragment. The
            error names the field and never the value.
    """
    fault = _fault(address, http)
    if fault:
        example = "http://proxy.example.com:3128" if http == "always" else "https://host.example.com:6443"
        raise InvalidInput("input", field, fault, f"Write the address alone, such as {example}.")
    return address


def _fault(address: str, http: Http) -> str:
    """What is wrong with it, the first thing that is; empty for nothing."""
    scheme, _, rest = address.partition("://")
    scheme, authority = scheme.lower(), rest.partition("/")[0]
    server = _SERVER.fullmatch(authority)
    faults = (
        (
            not _CHARACTERS.fullmatch(address),
            "has a blank, a line end or another character that is not allowed in an address",
        ),
        ("@" in authority, "carries a user name or password; credentials have fields of their own"),
        ("?" in address or "#" in address, "has a query or a fragment"),
        (
            scheme not in {"https", "http"} or not server or not _is_possible(server),
            "is not https://host[:port]",
        ),
        (
            scheme == "http" and http == "never",
            "is not https://host[:port]: what is sent there must be encrypted",
        ),
        (
            scheme == "http" and http == "loopback" and not (server and _is_loopback(server["host"])),
            "is http and not on the loopback address: credentials would be sent in clear",
        ),
    )
    return next((fault for is_so, fault in faults if is_so), "")


def _is_possible(server: re.Match[str]) -> bool:
    if server["host"].startswith("["):
        try:
            ipaddress.IPv6Address(server["host"][1:-1])
        except ValueError:
            return False
    return server["port"] is None or 0 < int(server["port"]) < 65536


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_header(value: SecretStr | str, field: str) -> str:
    """``value`` in clear, if it can be sent as an HTTP header: visible ASCII characters and no blank.

    Raises:
        InvalidInput: it cannot. The error names the field and never the value.
    """
    text = value if isinstance(value, str) else value.get_secret_value()
    if _VISIBLE_ASCII.fullmatch(text):
        return text
    del text, value  # a traceback with local variables would show it
    raise InvalidInput(
        "input",
        field,
        "is empty, or has a blank, a line end or a character beyond ASCII",
        "Copy it again, with nothing before or after it.",
    )


def check_person(value: str, field: str) -> str:
    """``value``, if it can be a person's name or address in a commit: one line, without ``<`` and ``>``.

    Raises:
        InvalidInput: it cannot.
    """
    if value.strip() and value.isprintable() and not set(value) & set("<>"):
        return value
    raise InvalidInput(
        "input",
        field,
        "is empty, or has a line end, another control character, '<' or '>'",
        "Write it as one line of plain text.",
    )


def shown(location: str, asked: str = "") -> str:
    """An address for a person: scheme, server and path, without credentials, query and control characters.

    Args:
        location: an address that somebody else gave, for example the ``Location`` of a redirect.
        asked: the address that it is relative to.
    """
    try:
        parts = urlsplit(urljoin(asked, location))
    except ValueError:
        return "an address that cannot be read"
    # A password may hold a slash, and stands in the path then.
    alone = f"{parts.netloc}{parts.path}".rpartition("@")[2]
    return "".join(filter(_CHARACTERS.fullmatch, f"{parts.scheme}://{alone}"))[:200]
