"""What we kept of the reviewer's token when we wrote it to Vault: the only thing known of it afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr


def digest(token: SecretStr) -> str:
    """What may be kept of a token."""
    return hashlib.sha256(token.get_secret_value().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ReviewerRecord:
    """One record.

    Attributes:
        sha256: of the token, in hex.
        expires: UTC; None where the token ends with its Secret.
        service_account_uid: of the reviewer's ServiceAccount then; empty if it was not kept.
        written: UTC, when we wrote it.
        flow_run: which run did; empty if it was not kept.
        cluster: ``<env>/<cluster>``; empty if it was not kept.
        mount: the auth mount on which we wrote it; empty if it was not kept.
        vault_address: where we wrote it; empty if it was not kept.
        proved: whether a run has proved a login since.
    """

    sha256: str
    expires: datetime | None
    service_account_uid: str
    written: datetime | None
    flow_run: str
    cluster: str = ""
    mount: str = ""
    vault_address: str = ""
    proved: bool = True

    @classmethod
    def read(cls, kept: Mapping[str, Any], *, proved: bool = True) -> ReviewerRecord:
        """From what a step has published, by this or by an older version."""
        names = ("sha256", "service_account_uid", "flow_run", "cluster", "mount", "vault_address")
        texts = {name: str(kept.get(name) or "") for name in names}
        moments = {name: _moment(kept.get(name)) for name in ("expires", "written")}
        return cls(**texts, **moments, proved=proved)  # type: ignore[arg-type]  # each of its own kind

    def is_still_good(self, now: datetime, uid_now: str, sha256_now: str) -> bool:
        """Whether the token that we wrote is one that the API server accepts today.

        Each run has the API server accept the token before it writes it. The arguments are those of `words`.
        """
        same_account = uid_now in {"", self.service_account_uid}
        return same_account and (sha256_now == self.sha256 if self.expires is None else self.expires > now)

    def words(self, now: datetime, uid_now: str, sha256_now: str) -> str:
        """What the record says today.

        Args:
            now: UTC.
            uid_now: of the reviewer's ServiceAccount; empty if not known.
            sha256_now: of the token in its Secret; empty if not known, or in mode token-request.
        """
        when = f" at {self.written:%Y-%m-%d %H:%M} UTC" if self.written else ""
        said = [f"our record: written{when}, sha256 {self.sha256[:16]}"]
        if self.expires is None:
            said.append("expires with its Secret")
        else:
            verb = "expired" if self.expires <= now else "expires"
            said.append(f"{verb} at {self.expires:%Y-%m-%d %H:%M} UTC")
        if self.service_account_uid:
            made_anew = bool(uid_now) and uid_now != self.service_account_uid
            now_is = f", recreated since: now {uid_now}" if made_anew else ""
            said.append(f"of ServiceAccount uid {self.service_account_uid}{now_is}")
        if sha256_now and self.expires is None:
            said.append(
                "the Secret still has that token"
                if sha256_now == self.sha256
                else "the Secret has another token now"
            )
        return ", ".join(said)


def _moment(kept: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(kept))
    except ValueError:  # also "with its Secret"
        return None
    # We write UTC; a moment without its zone could not be compared with today.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
