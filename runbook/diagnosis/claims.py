"""What a ServiceAccount token says about itself, read without checking its signature.

Only the cluster can say whether it is true; but when a cluster refuses a token it does not say why, and the
claims do: whose it is, for whom, until when.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from runbook.documents import field
from runbook.moments import from_epoch

_LEGACY = "kubernetes.io/serviceaccount/"
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
"""Python's decoder drops what base64 does not have, and so would read a token with line breaks in it."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of a token of TokenRequest, or of a legacy one from a Secret; empty where it does not say.

    Attributes:
        account: ``namespace/name``.
        uid: of the ServiceAccount.
        audiences: empty for a legacy token, which is for the API server.
        expires: UTC; None for a legacy token, which lasts as long as its Secret.
        key_id: of the key that signed it; each cluster has its own.
    """

    account: str
    uid: str
    audiences: tuple[str, ...]
    issuer: str
    expires: datetime | None
    key_id: str


def claims_of(token: SecretStr) -> Claims | None:
    """The claims of a token; None if it is not a JWT."""
    text = token.get_secret_value().strip()
    if not _JWT.fullmatch(text):
        return None
    header, body = map(_object, text.split(".")[:2])
    if header is None or body is None:
        return None
    account = ("kubernetes.io", "serviceaccount")
    namespace = field(body, "kubernetes.io", "namespace") or body.get(f"{_LEGACY}namespace") or ""
    name = field(body, *account, "name") or body.get(f"{_LEGACY}service-account.name") or ""
    return Claims(
        account=f"{namespace}/{name}" if name else str(body.get("sub") or "nobody"),
        uid=str(field(body, *account, "uid") or body.get(f"{_LEGACY}service-account.uid") or ""),
        audiences=_audiences(body.get("aud")),
        issuer=str(body.get("iss") or ""),
        expires=from_epoch(body.get("exp")),
        key_id=str(header.get("kid") or ""),
    )


def is_base64_of_jwt(token: SecretStr) -> bool:
    """Whether it becomes a JWT when it is decoded once more: the ``data`` of a Secret as it stands there."""
    try:
        decoded = base64.b64decode(token.get_secret_value().strip(), validate=True).decode("ascii")
    except ValueError:  # not ASCII, not base64, or what it encodes is not ASCII
        return False
    return claims_of(SecretStr(decoded)) is not None


def _object(part: str) -> Mapping[str, Any] | None:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):  # not base64, not text, not JSON, or nested without end
        return None
    return decoded if isinstance(decoded, dict) else None


def _audiences(claim: object) -> tuple[str, ...]:
    """A text or a list of texts; anything else is no audience."""
    claims = claim if isinstance(claim, list) else [claim]
    return tuple(each for each in claims if isinstance(each, str) and each)
