"""Reading a Secret of type ``kubernetes.io/service-account-token`` without letting its token out."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from runbook.errors import Conflict, UnexpectedAnswer
from systems.openshift.answers import TokenSecret
from systems.openshift.fields import mapping, text
from systems.openshift.transport import SYSTEM

_TYPE = "kubernetes.io/service-account-token"


def read_token_secret(subject: str, found: Mapping[str, Any]) -> TokenSecret:
    """The token Secret, whose token is None until the cluster has filled it in.

    Raises:
        Conflict: it is a Secret of another type.
        UnexpectedAnswer: its token is not base64 of text.
    """
    if text(found, "type") != _TYPE:
        raise Conflict(
            SYSTEM,
            subject,
            f"is of type {text(found, 'type')}, not {_TYPE}",
            "Rename or remove that Secret, or choose the mode token-request.",
        )
    annotations = mapping(metadata_of(subject, found), "annotations")
    return TokenSecret(
        service_account=text(annotations, "kubernetes.io/service-account.name"),
        service_account_uid=text(annotations, "kubernetes.io/service-account.uid"),
        token=_token_of(subject, mapping(found, "data")),
    )


def metadata_of(subject: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata of an object that the API server has stored.

    Raises:
        UnexpectedAnswer: there is none, or no uid in it.
    """
    metadata = mapping(found, "metadata")
    if not text(metadata, "uid"):
        raise UnexpectedAnswer(SYSTEM, subject, "the answer is no object with a uid", "Check the address.")
    return metadata


def _token_of(subject: str, data: Mapping[str, Any]) -> SecretStr | None:
    encoded = data.get("token")
    if not encoded:
        return None
    try:
        return SecretStr(base64.b64decode(encoded, validate=True).decode("ascii"))
    except (ValueError, TypeError):
        problem = "its token is not base64 of text"  # the cause would quote it
    raise UnexpectedAnswer(SYSTEM, subject, problem, "Delete the Secret; the cluster fills a new one.")
