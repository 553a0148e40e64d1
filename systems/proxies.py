"""The proxy between this worker and a server. All clients take the one that requests would take."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from requests.utils import get_environ_proxies, select_proxy
from urllib3.util import make_headers

from runbook.errors import InvalidInput


def proxy_for(url: str) -> str:
    """Address of the proxy that the environment names for ``url``, empty for none.

    The variables are HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in capitals or not. The address may
    hold a user name and password: no error and no log may show it.

    Raises:
        InvalidInput: it is of another kind than http or https.
    """
    named: str | None = select_proxy(url, get_environ_proxies(url))
    if not named:
        return ""
    proxy = named if "://" in named else f"http://{named}"
    if not proxy.startswith(("http://", "https://")):
        raise InvalidInput(
            "input",
            f"proxy for {urlsplit(url).hostname} in the environment",
            "is not the address of an http proxy; socks is not supported",
            "Set HTTPS_PROXY to http://host:port, or name the host in NO_PROXY.",
        )
    return proxy


def proxy_headers(proxy: str) -> dict[str, str]:
    """The headers that log in at a proxy, from the user name and password in its address."""
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(make_headers(proxy_basic_auth=login))
