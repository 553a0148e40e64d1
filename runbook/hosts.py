"""Where a cluster's API is, whether two addresses lead to the same one, and two texts hold the same CA.

The one comparison of each: whoever asks whether a config is the ClusterConnection's asks here.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """The cluster's API as Vault reaches it, by the ClusterConnection: where tokens may go.

    ``ca_pem`` is empty where Vault goes by its own store; this worker goes by that of its machine then.
    ``proxy`` is the one through which this worker reaches it, empty for that of the environment, if any.
    """

    host: str
    ca_pem: str
    proxy: str = ""


def same_api_server(one: str, other: str) -> bool:
    """Whether both addresses have the same host, port and path.

    The path counts: Rancher and cluster proxies tell clusters apart by it. Case of the host, a default
    port, a slash at the end, the spelling of an IPv6 address and a missing ``https://`` do not count.
    Credentials, query and fragment are no part of the comparison.
    """
    return _parts(one) == _parts(other)


def without_credentials(address: str) -> str:
    """An address as it may be shown: somebody may have written a password into it."""
    before, at, after = address.strip().rpartition("@")
    scheme, slashes, _ = before.partition("//")
    return f"{scheme}//{after}" if at and slashes else after


def is_other_repository(clone_url: str, repository: str, api_url: str) -> bool:
    """Whether ``clone_url`` is that of another repository than ``repository``.

    Args:
        clone_url: https address for Git.
        repository: ``owner/name``.
        api_url: of GitHub's API, which tells the server. An address on another one is nobody's to judge.
    """
    url, api = urlsplit(clone_url), urlsplit(api_url).hostname or ""
    # The API of github.com and of <company>.ghe.com has a host of its own.
    if url.hostname not in {api, api.removeprefix("api.")}:
        return False
    return url.path.strip("/").removesuffix(".git").lower() != repository.lower()


def _parts(address: str) -> tuple[str, int, str] | str:
    """Host, port and path to compare by. Vault takes any text for a host: what is no address stays text."""
    address = address.strip()
    try:
        url = urlsplit(address if "//" in address else f"https://{address}")
        host, port = url.hostname or "", url.port
    except ValueError:
        return address
    path = re.sub(r"/+", "/", unquote(url.path)).rstrip("/")
    return _host(host), port or _PORTS.get(url.scheme, 443), path


def _host(host: str) -> str:
    host = host.removesuffix(".")
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def same_ca(one: str, other: str) -> bool:
    """Whether two PEM texts hold the same blocks: comments, order and line lengths do not count.

    A private key beside the certificates does count. A text without any block is compared as it stands.
    """
    return _blocks(one) == _blocks(other)


def _blocks(pem: str) -> frozenset[tuple[str, str]] | str:
    found = set()
    for part in pem.split("-----BEGIN ")[1:]:
        kind, _, rest = part.partition("-----")
        body, ended, _ = rest.partition(f"-----END {kind}-----")
        if ended:
            found.add((kind, "".join(body.split())))
    return frozenset(found) or pem.strip()
