"""A session that we opened in Vault ourselves: short-lived, opened anew when it ends, revoked in the end.

A step can take longer than its session lives: it may wait an hour for ArgoCD. Vault answers an ended token
and a missing right alike, with 403; which of the two it was, the token itself is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from runbook.errors import EnablementError
from systems.vault import Login, Vault
from systems.vault_http import Answer, VaultHttp

_log = logging.getLogger(__name__)


class SessionHttp(VaultHttp):
    """Requests as the owner of a session. Closing it revokes the session, also after an error.

    Args:
        address: as of `VaultHttp`, like the other options.
        open_session: logs in with a Vault that has no token, or raises; called at once, and again whenever
            the session has ended.

    Raises:
        EnablementError: from the constructor and from each request, as ``open_session`` raises.
    """

    def __init__(
        self,
        address: str,
        open_session: Callable[[Vault], Login],
        *,
        ca_pem: str | None = None,
        namespace: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(address, ca_pem=ca_pem, namespace=namespace, correlation_id=correlation_id)
        self._open_session = open_session
        try:
            self._login = self._log_in()
        except BaseException:
            super().close()
            raise

    def _log_in(self) -> Login:
        login = self._open_session(Vault(self.with_token(None)))
        self._use(login.token)
        return login

    def send(self, method: str, path: str, payload: Mapping[str, Any] | None = None, **params: str) -> Answer:
        """As `VaultHttp.send`; a request that only the end of the session stopped is sent once more."""
        answer = super().send(method, path, payload, **params)
        # A refused request was not carried out, so that it can be repeated, a write too.
        if answer.status != 403 or super().send("get", "auth/token/lookup-self").status != 403:
            return answer
        _log.info("the session in Vault has ended; logging in again")
        self._login = self._log_in()
        return super().send(method, path, payload, **params)

    def close(self) -> None:
        """Revoke the session and close the connections. A session that cannot be revoked ends by itself."""
        try:
            self._revoke()
        except EnablementError as error:
            # What the step did is done, and what stopped it, if anything, is what has to be told.
            _log.warning("the session in Vault was not revoked, and ends by itself: %s", error)
        finally:
            super().close()

    def _revoke(self) -> None:
        if self._login.is_batch:
            return  # Vault keeps nothing of such a token that could be revoked.
        answer = super().send("post", "auth/token/revoke-self", {})
        if answer.status not in {200, 204, 403}:  # 403: it has ended already
            _log.warning("the session in Vault was not revoked, and ends by itself: %s", answer.words)
