"""A derived name, what was found under it, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

from runbook.errors import (
    AccessDenied,
    CertificateNotTrusted,
    Conflict,
    EnablementError,
    NotAuthenticated,
    TransientError,
)
from runbook.foreign_text import plain

State = Literal["absent", "ours", "ours, differs", "somebody else's", "not checked"]
"""``ours``: it is what a run wants or uses, whoever made it. ``ours, differs``: a part of that lacks, or has
another value. ``somebody else's``: a run would leave it alone, and stop."""

BEFORE = "has to be there before the first run"
"""The remark on something absent that no run makes."""

_ENDS_THE_LOOK = (TransientError, CertificateNotTrusted, NotAuthenticated)
"""Errors that the next question would meet too, perhaps after another timeout."""

L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is there, with a remark for people."""

    state: State
    remark: str = ""


@dataclass(frozen=True, slots=True)
class DerivedName(Generic[L]):
    """A name, and how to find out what is there under it.

    Attributes:
        what: such as ``auth mount of the cluster``.
        name: as an operator names it: ``auth/ember-k8s``.
        look: takes the open system; raises `EnablementError`.
    """

    what: str
    name: str
    look: Callable[[L], Finding]


class Row(NamedTuple):
    """A row of the table. The texts are made fit for a terminal."""

    system: str
    what: str
    name: str
    state: State
    remark: str


def rows_of(
    system: str, names: Iterable[DerivedName[L]], look: Callable[[DerivedName[L]], Finding]
) -> list[Row]:
    """A row for each name. After an error that the next question would meet too, no more is asked."""
    rows: list[Row] = []
    ended: Finding | None = None
    for name in names:
        if ended is None:
            try:
                found = look(name)
            except EnablementError as error:
                found = _of_error(error)
                ended = found if isinstance(error, _ENDS_THE_LOOK) else None
        else:
            found = ended
        rows.append(Row(system, name.what, plain(name.name), found.state, plain(found.remark)))
    return rows


def _of_error(error: EnablementError) -> Finding:
    if isinstance(error, Conflict):
        where = "" if error.system == "Vault" else f"{error.subject}: "
        return Finding("somebody else's", f"{where}{error.answer.removeprefix('is foreign: ')}")
    if isinstance(error, AccessDenied) and not isinstance(error, NotAuthenticated):
        who = "account" if error.system == "OpenShift" else "token"
        return Finding("not checked", f"our {who} may not read {error.subject}")
    return Finding("not checked", f"{error.subject}: {error.answer}")
