"""Vault's HTTP answers, turned into values and errors, and hvac's API on the one HTTP session.

What the paths mean is known in `systems.vault`. Status codes as seen on OpenBao 2.7 and documented for Vault:
400 invalid request, 403 no right (also: no such mount, asked without a right to know), 404 nothing there, 412
a standby that has not caught up, 429 rate limit, 472/473 standby health, 503 sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

from hvac.adapters import Adapter
from pydantic import SecretStr

from runbook.addresses import check_address, check_header
from runbook.errors import (
    AccessDenied,
    Busy,
    InvalidInput,
    MadeMeanwhile,
    PermanentError,
    PrerequisiteMissing,
    TransientError,
    UnexpectedAnswer,
)
from runbook.foreign_text import without_list
from systems.http_session import Answer as HttpAnswer
from systems.http_session import HttpSession, Server, given
from systems.trust import trust

_LATER = frozenset({412, 429, 473, 502, 503, 504})
"""Statuses that mean "ask again"; also of a load balancer, which may send no body."""

_IN_THE_ROOT_ALONE = ("sys/health", "sys/audit", "sys/config/")
"""Paths that other namespaces do not have: there OpenBao answers 400, Vault 404."""

_BODILESS = _LATER | {204}
"""Answers that may come without a body. Vault's others all have one, if only ``{"errors":[]}``."""

_QUESTIONS = ("sys/capabilities-self", "identity/lookup/")
"""What is asked with a POST, and changes nothing."""

_VERBS = {"get": "read", "list": "list"}

_AGAIN = "It is retried automatically."


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of Vault's.

    Attributes:
        status: of HTTP.
        body: decoded, empty when there was none. It may hold secrets, and is not in the ``repr``.
        errors: Vault's own sentences.
        path: what was asked, below ``/v1``.
        verb: what was wanted of it, for the reader of an error: ``"read"``.
        grant: how our token gets the right to it, for the same reader.
        retry_after: seconds after which Vault wants to be asked again, where it says.
    """

    status: int
    body: Mapping[str, Any] = field(repr=False)
    errors: tuple[str, ...]
    path: str
    verb: str
    grant: str
    retry_after: float | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """The ``data`` of the body, empty when it has none."""
        return self.body.get("data") or {}

    @property
    def words(self) -> str:
        """Status and errors for a person."""
        return f"{self.status} {'; '.join(self.errors)}".strip()

    def found(self) -> Mapping[str, Any] | None:
        """The ``data``; None where nothing is: a 404 of a mount that is there.

        Raises:
            AccessDenied, PrerequisiteMissing, UnexpectedAnswer, Busy, MadeMeanwhile: see `refusal`.
        """
        no_route = any("no handler for route" in error for error in self.errors)
        if self.status == 204 or (self.status == 404 and not no_route):
            return None
        return self.done()

    def done(self) -> Mapping[str, Any]:
        """The ``data`` of what was answered with 200 or 204.

        Raises:
            AccessDenied, PrerequisiteMissing, UnexpectedAnswer, Busy, MadeMeanwhile: see `refusal`.
        """
        if self.status not in {200, 204}:
            raise self.refusal()
        return self.data

    def refusal(self) -> PermanentError | TransientError:
        """The error that a refused request deserves."""
        subject, cannot = self.path, f"cannot {self.verb}: {self.words}"
        if self.status == 403:
            return AccessDenied("Vault", subject, f"may not {self.verb}: {self.words}", self.grant)
        if self.status == 404:
            return PrerequisiteMissing("Vault", subject, cannot, "Check that the mount exists.")
        if self.status == 400 and any("invalid group ID" in error for error in self.errors):
            # A performance standby answers so for a group that was made a moment ago.
            return Busy("Vault", subject, self.words, _AGAIN)
        if self.status == 400 and any("already in use" in error for error in self.errors):
            # Of a mount's path, and of a group alias: callers write these only after they saw none.
            return MadeMeanwhile("Vault", subject, self.words, "It is retried automatically.")
        if self.status in _LATER or self.status >= 500:
            sealed = any("sealed" in error.lower() for error in self.errors)
            remedy = "Ask Vault's operators to unseal it." if sealed else _AGAIN
            # Also of a load balancer, behind which Vault may have done it.
            maybe_done = self.status >= 500 and not sealed
            return Busy(
                "Vault", subject, self.words, remedy, maybe_done=maybe_done, retry_after=self.retry_after
            )
        return UnexpectedAnswer("Vault", subject, cannot, "Compare the request with what is there in Vault.")


class VaultHttp:
    """Requests to one Vault with one token.

    Args:
        address: ``https://host:port``.
        token: sent as ``X-Vault-Token``; None before a login.
        ca_pem: the only CA that is believed; None for the machine's store.
        namespace: Vault Enterprise or OpenBao namespace; what exists in the root namespace alone is asked
            there.
        correlation_id: sent as ``X-Correlation-Id``, so that Vault's audit log can be joined with a run.
        timeout: seconds for connecting and between two bytes of an answer; twice that for a whole answer.
        source: what holds all this, for the reader of an error.
        grant: how our token gets rights, for the same reader.

    Attributes:
        renew: opens a session anew and returns its token, where ours is one that may end.
    """

    renew: Callable[[], SecretStr] | None = None

    def __init__(
        self,
        address: str,
        token: SecretStr | None = None,
        *,
        ca_pem: str | None = None,
        namespace: str | None = None,
        correlation_id: str | None = None,
        timeout: float = 15,
        source: str = "the connection",
        grant: str = "Give the token this right, or use one that has not expired.",
    ) -> None:
        self.address = check_address(address, f"address of {source}", http="loopback").rstrip("/")
        self._namespace = check_header(namespace, f"namespace of {source}") if namespace else None
        self._source, self._grant = source, grant
        self.token = SecretStr(check_header(token, f"token of {source}")) if token else None
        run = {"X-Correlation-Id": check_header(correlation_id, "correlation id")} if correlation_id else {}
        context = trust(ca_pem, f"ca_cert of {source}")
        server = Server("Vault", self.address, context, timeout, 2 * timeout, source, ca_pem=ca_pem)
        self._http = HttpSession(server, run)

    @property
    def place(self) -> str:
        """Address and namespace. What is called the same in two namespaces is two things."""
        return f"{self.address}/{self._namespace.strip('/')}" if self._namespace else self.address

    def with_token(self, token: SecretStr | None) -> VaultHttp:
        """The same Vault over the same connections, as somebody else."""
        other = copy(self)
        other.token, other.renew = token, None
        return other

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, method: str, path: str, payload: Mapping[str, Any] | None = None, **params: str) -> Answer:
        """Send one request and return whatever Vault answered, as long as it is an answer of Vault's.

        Raises:
            Unreachable: no answer, or it broke off.
            CertificateNotTrusted: the TLS certificate does not check out.
            Busy: 412, 429, 502, 503 (sealed), 504 and 473.
            UnexpectedAnswer: not JSON, too large, or a redirect. Only that of a standby is followed, once.
            PrerequisiteMissing: the namespace is not there.
        """
        answer = self._send(method, path, payload, params)
        # Vault answers an ended token and a missing right alike; which it was, the token itself is asked. A
        # refused request was not carried out, so that it can be repeated, a write too.
        if (
            self.renew
            and answer.status == 403
            and self._send("get", "auth/token/lookup-self", None, {}).status == 403
        ):
            self.token = self.renew()
            answer = self._send(method, path, payload, params)
        return answer

    def _send(
        self, method: str, path: str, payload: Mapping[str, Any] | None, params: Mapping[str, str]
    ) -> Answer:
        headers: dict[str, str | SecretStr] = {"X-Vault-Request": "true"}
        if self.token:
            headers["X-Vault-Token"] = self.token
        if self._namespace and not path.startswith(_IN_THE_ROOT_ALONE):
            headers["X-Vault-Namespace"] = self._namespace
        exchange = partial(
            self._http.exchange, method, subject=path, headers=headers, params=params, body=payload
        )
        received = given(exchange(f"{self.address}/v1/{path}"))
        active = self._active_node(received)
        if active:
            received = given(exchange(f"{active}/v1/{path}"))
        if received.redirect:
            raise UnexpectedAnswer(
                "Vault",
                path,
                f"{received.status}, redirects to {received.redirect}",
                f"Set address of {self._source} to that address, if it is your Vault's own. Only a standby's "
                "307 or 308 is followed: to the same path at an https address, if ca_cert is set.",
            )
        answer = self._decode(received, method.lower(), path)
        if answer.status in _LATER:
            raise answer.refusal()
        if answer.status == 404 and "namespace not found" in answer.errors:
            raise PrerequisiteMissing(
                "Vault",
                f"namespace {self._namespace!r}",
                "is not there",
                f"Correct namespace of {self._source}: its whole path, as `vault namespace list` has it; or "
                "ask a Vault administrator to create it.",
            )
        return answer

    def _active_node(self, received: HttpAnswer) -> str:
        """Address to which a standby redirects us; empty where it may not be followed.

        A redirect can lead to whoever wants our token. That of a standby names the same path on the active
        node, and only our own CA vouches for a node: the machine's store would vouch for any server.
        """
        if received.status not in {307, 308} or self._http.server.ca_pem is None:
            return ""
        try:
            asked = urlsplit(received.url)
            there = urlsplit(urljoin(received.url, received.headers.get("Location", "")))
            address = check_address(f"{there.scheme}://{there.netloc}", "Location")
        except (ValueError, InvalidInput):
            return ""
        is_same_request = (there.path, there.query, there.fragment) == (asked.path, asked.query, "")
        return address if is_same_request else ""

    def _decode(self, received: HttpAnswer, method: str, path: str) -> Answer:
        body = received.decoded()
        if not received.text and received.status not in _BODILESS and received.status < 500:
            # Broken off in its head, which reads like an answer without a body: "nothing is there".
            raise self._http.unreachable(f"{received.status} that broke off before its body", self.address)
        if not isinstance(body, dict):
            if received.text and received.status < 500:  # a load balancer in front of Vault speaks HTML
                raise UnexpectedAnswer(
                    "Vault",
                    path,
                    f"{received.status} with a body that is not a JSON object",
                    f"Check that {self.address} is Vault's API and not a proxy's page.",
                    maybe_done=received.status < 400,
                )
            body = {}
        said = body.get("errors")
        errors = tuple(map(without_list, said if isinstance(said, list) else ()))
        verb = "ask" if path.startswith(_QUESTIONS) else _VERBS.get(method, "write")
        return Answer(received.status, body, errors, path, verb, self._grant, received.retry_after)


class HvacAdapter(Adapter):  # type: ignore[misc]
    """Gives hvac's API our answers. Refusals are answers here, as with hvac's ``ignore_exceptions``."""

    def __init__(self, http: VaultHttp) -> None:
        super().__init__(base_uri=http.address)
        self._http = http

    def get_login_token(self, response: Answer) -> str:
        """Which no request of ours asks for: the adapter's token is not used."""
        raise NotImplementedError

    def request(
        self, method: str, url: str, headers: object = None, raise_exception: bool = True, **options: Any
    ) -> Answer:
        """What each method of hvac's API ends in."""
        path, params = url.removeprefix("/v1/"), options.get("params") or {}
        return self._http.send(method, path, options.get("json"), **params)
