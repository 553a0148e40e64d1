"""Reading a Secret of type ``kubernetes.io/service-account-token`` without letting its token out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from kubernetes import client as models
from pydantic import SecretStr

from runbook.errors import Conflict, UnexpectedAnswer
from systems.openshift.answers import TokenSecret
from systems.openshift.transport import SYSTEM

_TYPE = "kubernetes.io/service-account-token"


def read_token_secret(subject: str, found: models.V1Secret) -> TokenSecret:
    """The token Secret, whose token is None until the cluster has filled it in.

    Raises:
        Conflict: it is a Secret of another type.
        UnexpectedAnswer: its token is not base64 of text.
    """
    if found.type != _TYPE:
        raise Conflict(
            SYSTEM,
            subject,
            f"is of type {found.type}, not {_TYPE}",
            "Rename or remove that Secret, or choose the mode token-request.",
        )
    annotations = metadata_of(subject, found).annotations or {}
    return TokenSecret(
        service_account=annotations.get("kubernetes.io/service-account.name", ""),
        service_account_uid=annotations.get("kubernetes.io/service-account.uid", ""),
        token=_token_of(subject, found.data or {}),
    )


def metadata_of(subject: str, found: models.V1ServiceAccount | models.V1Secret) -> models.V1ObjectMeta:
    """The metadata of an object that the API server has stored.

    Raises:
        UnexpectedAnswer: there is none, or no uid in it.
    """
    if not found.metadata or not found.metadata.uid:
        raise UnexpectedAnswer(SYSTEM, subject, "the answer is no object with a uid", "Check the address.")
    return found.metadata


def _token_of(subject: str, data: Mapping[str, bytes | str]) -> SecretStr | None:
    encoded = data.get("token")
    if not encoded:
        return None
    try:
        return SecretStr(base64.b64decode(encoded, validate=True).decode("ascii"))
    except (binascii.Error, UnicodeDecodeError):
        problem = "its token is not base64 of text"  # the cause would quote it
    raise UnexpectedAnswer(SYSTEM, subject, problem, "Delete the Secret; the cluster fills a new one.")
