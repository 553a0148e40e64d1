"""A session that we opened in Vault ourselves: short-lived, opened anew when it ends, revoked in the end.

A step can take longer than its session lives: it may wait an hour for ArgoCD.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from pydantic import SecretStr

from runbook.errors import EnablementError
from systems.vault import Login, Vault
from systems.vault_http import VaultHttp

_log = logging.getLogger(__name__)


class VaultSession(Vault):
    """A Vault as the owner of a session. Leaving it revokes the session, also after an error.

    Args:
        http: its requests, without a token.
        open_session: logs in with a Vault that has no token, or raises; called at once, and again whenever
            the session has ended.

    Raises:
        EnablementError: from the constructor and from each method, as ``open_session`` raises.
    """

    def __init__(self, http: VaultHttp, open_session: Callable[[Vault], Login]) -> None:
        super().__init__(http)
        self._open_session = open_session
        try:
            http.token = self._log_in()
        except BaseException:
            http.close()
            raise
        http.renew = self._log_in_again

    def _log_in(self) -> SecretStr:
        self._login = self._open_session(Vault(self.http.with_token(None)))
        return self._login.token

    def _log_in_again(self) -> SecretStr:
        _log.info("the session in Vault has expired; logging in again")
        return self._log_in()

    def __exit__(self, *_: object) -> None:
        self.http.renew = None
        try:
            # Of a batch token Vault keeps nothing that could be revoked.
            answer = None if self._login.is_batch else self.http.send("post", "auth/token/revoke-self", {})
            if answer and answer.status not in {200, 204, 403}:  # 403: it has ended already
                _not_revoked(answer.words)
        except EnablementError as error:
            # What the step did is done, and what stopped it, if anything, is what has to be told.
            _not_revoked(error)
        finally:
            self.http.close()


def _not_revoked(why: object) -> None:
    _log.warning("the session in Vault was not revoked; it expires by itself: %s", why)
