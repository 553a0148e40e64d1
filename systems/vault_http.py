"""Vault's HTTP answers, turned into values and errors. What the paths mean is known in `systems.vault`.

Status codes as seen on OpenBao 2.7 and documented for Vault: 400 invalid request, 403 no right (also: no
such mount, asked without a right to know), 404 nothing there, 412 a standby that has not caught up, 429
rate limit, 472/473 standby health, 503 sealed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hvac
import requests
from hvac.adapters import RawAdapter
from pydantic import SecretStr

from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    EnablementError,
    MadeMeanwhile,
    PermanentError,
    PrerequisiteMissing,
    TransientError,
    UnexpectedAnswer,
    Unreachable,
)
from systems.bounded import TooLargeError, read_response, root_cause
from systems.trust import session

_LATER = frozenset({412, 429, 473, 502, 503, 504})
"""Statuses that mean "ask again"; also of a load balancer, which may send no body."""

_BODILESS = _LATER | {204}
"""Answers that may come without a body. Vault's others all have one, if only ``{"errors":[]}``."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, the decoded body (empty when there was none) and Vault's own error sentences."""

    status: int
    body: Mapping[str, Any]
    errors: tuple[str, ...]

    @property
    def data(self) -> Mapping[str, Any]:
        """The ``data`` of the body, empty when it has none."""
        return self.body.get("data") or {}

    @property
    def words(self) -> str:
        """Status and errors for a person."""
        return f"{self.status} {'; '.join(self.errors)}".strip()


def _revealed(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent. Up to here secrets are a SecretStr, which no traceback with local variables shows."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in payload.items()
    }


class VaultHttp:
    """Requests to one Vault with one token.

    Args:
        address: ``https://host:port``.
        token: sent as ``X-Vault-Token``; None before a login.
        ca_pem: the only CA that is believed; None for the machine's store.
        namespace: Vault Enterprise or OpenBao namespace.
        correlation_id: sent as ``X-Correlation-Id``, so that Vault's audit log can be joined with a run.
        timeout: seconds for connecting and between two bytes of an answer.
    """

    def __init__(
        self,
        address: str,
        token: SecretStr | None = None,
        *,
        ca_pem: str | None = None,
        namespace: str | None = None,
        correlation_id: str | None = None,
        timeout: float = 15,
        http: requests.Session | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        self._namespace = namespace
        self._timeout = timeout
        self._session = http or session(ca_pem, "ca_cert of the VaultConnection")
        if correlation_id:
            self._session.headers["X-Correlation-Id"] = correlation_id
        self._client = hvac.Client(
            url=self.address,
            # hvac falls back to VAULT_TOKEN and ~/.vault-token when it is given None.
            token=token.get_secret_value() if token else "",
            namespace=namespace,
            timeout=timeout,
            session=self._session,
            adapter=RawAdapter,
        )

    def with_token(self, token: SecretStr | None) -> VaultHttp:
        """The same Vault over the same connections, as somebody else."""
        return VaultHttp(
            self.address, token, namespace=self._namespace, timeout=self._timeout, http=self._session
        )

    def _use(self, token: SecretStr) -> None:
        """Be somebody else from now on."""
        self._client.token = token.get_secret_value()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(self, method: str, path: str, payload: Mapping[str, Any] | None = None, **params: str) -> Answer:
        """Send one request and return whatever Vault answered, as long as it is an answer of Vault's.

        Raises:
            Unreachable: no answer, or it broke off.
            CertificateNotTrusted: the TLS certificate does not check out.
            Busy: 412, 429, 502, 503 (sealed), 504 and 473.
            UnexpectedAnswer: not JSON, or too large.
        """
        try:
            response = self._client.adapter.request(
                method,
                f"/v1/{path}",
                raise_exception=False,
                json=_revealed(payload) if payload is not None else None,
                params=params or None,
                stream=True,
            )
            text = read_response(response, time.monotonic() + 2 * self._timeout).decode("utf-8", "replace")
        except (TooLargeError, requests.exceptions.RequestException) as error:
            failure = self._failure(error, path)
        else:
            answer = self._decode(response, text, path)
            self._raise_if_busy(response, answer, path)
            return answer
        # Not in the handler: the error would keep what was caught as its context, and with it the request
        # and the library's local variables, where our token and the payload stand in clear.
        raise failure

    def _failure(self, error: Exception, path: str) -> EnablementError:
        if isinstance(error, TooLargeError):
            failure = UnexpectedAnswer("Vault", path, str(error), "Check that the address is Vault's API.")
            failure.maybe_done = True
            return failure
        if isinstance(error, requests.exceptions.SSLError):
            return CertificateNotTrusted(
                "Vault",
                self.address,
                root_cause(error),
                "Put the CA that signed Vault's certificate into ca_cert of the VaultConnection, "
                "and use a host name that is in the certificate.",
            )
        return self._unreachable(root_cause(error))

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(
            "Vault",
            self.address,
            f"no answer ({why})",
            "Check the address of the VaultConnection, and that this worker may reach it.",
        )

    def _decode(self, response: requests.Response, text: str, path: str) -> Answer:
        if not text.strip():
            if response.status_code not in _BODILESS and response.status_code < 500:
                # Broken off in its head, which reads like an answer without a body: "nothing is there".
                raise self._unreachable(f"{response.status_code} that broke off before its body")
            return Answer(response.status_code, {}, ())
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            if response.status_code >= 500:
                # A load balancer in front of Vault speaks HTML.
                return Answer(response.status_code, {}, ())
            unreadable = UnexpectedAnswer(
                "Vault",
                path,
                f"{response.status_code} with a body that is not a JSON object",
                f"Check that {self.address} is Vault's API and not a proxy's page.",
            )
            unreadable.maybe_done = response.status_code < 400
            raise unreadable
        errors = tuple(str(error).strip() for error in body.get("errors") or ())
        return Answer(response.status_code, body, errors)

    def _raise_if_busy(self, response: requests.Response, answer: Answer, path: str) -> None:
        if answer.status in _LATER:
            sealed = any("sealed" in error.lower() for error in answer.errors)
            busy = Busy(
                "Vault",
                path,
                answer.words,
                "Ask Vault's operators to unseal it." if sealed else "It is tried again by itself.",
            )
            # Also of a load balancer, behind which Vault may have done it.
            busy.maybe_done = answer.status >= 500 and not sealed
            wait = response.headers.get("Retry-After", "")
            busy.retry_after = float(wait) if wait.isdigit() else None
            raise busy

    def read(self, path: str, **params: str) -> Mapping[str, Any] | None:
        """The ``data`` at a path, None where nothing is (404).

        Raises:
            AccessDenied: 403.
            UnexpectedAnswer: any other refusal.
            TransientError: see `send`.
        """
        answer = self.send("get", path, None, **params)
        if answer.status == 404 and not any("no handler for route" in error for error in answer.errors):
            return None
        if answer.status == 204:
            return None
        if answer.status != 200:
            raise refusal(answer, "read", path)
        return answer.data

    def write(self, path: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write a payload and return the ``data`` of the answer, empty for 204.

        Raises:
            AccessDenied: 403.
            PrerequisiteMissing: 404, the mount is not there.
            UnexpectedAnswer: any other refusal.
            MadeMeanwhile: 400, a mount or an alias of this name is there already.
            TransientError: see `send`; also the 400 of a standby that does not know a new group yet.
        """
        answer = self.send("post", path, payload)
        if answer.status not in {200, 204}:
            raise refusal(answer, "write", path)
        return answer.data


def refusal(answer: Answer, verb: str, path: str) -> PermanentError | TransientError:
    """The error that a refused request deserves."""
    if answer.status == 403:
        return AccessDenied(
            "Vault",
            path,
            f"may not {verb}: {answer.words}",
            "Give the pipeline's token the policy that `python -m deployments.vault.policy` prints (it pins "
            "values too), or put a token that has not expired into the VaultConnection.",
        )
    if answer.status == 404:
        return PrerequisiteMissing(
            "Vault", path, f"cannot {verb}: {answer.words}", "Check that the mount exists."
        )
    if answer.status == 400 and any("invalid group ID" in error for error in answer.errors):
        # A performance standby answers so for a group that was made a moment ago.
        return Busy("Vault", path, answer.words, "It is tried again by itself.")
    if answer.status == 400 and any("already in use" in error for error in answer.errors):
        # Of a mount's path, and of a group alias: callers write these only after they saw none.
        return MadeMeanwhile("Vault", path, answer.words, "It is looked at again by itself.")
    if answer.status >= 500:
        busy = Busy("Vault", path, answer.words or str(answer.status), "It is tried again by itself.")
        busy.maybe_done = True
        return busy
    return UnexpectedAnswer(
        "Vault", path, f"cannot {verb}: {answer.words}", "Compare the request with what is there in Vault."
    )
