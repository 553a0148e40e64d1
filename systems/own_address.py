"""From which address of this machine a server is reached: what that server sees, unless it is translated."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from runbook.errors import Unreachable


def own_address(url: str) -> str:
    """Our address on the way to ``url``. A datagram socket is connected and nothing is sent.

    Raises:
        Unreachable: there is no way, or the name is not known.
    """
    parts = urlsplit(url)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind, protocol) as way:
            way.connect(address)
            return str(way.getsockname()[0])
    except OSError as error:
        raise Unreachable(
            "Vault", url, f"this worker has no route to it ({error})", "Check address and network."
        ) from error
