"""What an exception gives away to whoever is handed it: a log, a pickle, a debugger, a crash reporter."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator
from types import FrameType

import cloudpickle  # type: ignore[import-untyped]
from rich.pretty import pretty_repr

from tests.secrets.search import Stream

_WIDE = 1_000_000


def said(error: BaseException) -> Iterator[Stream]:
    """Text, pickle and traceback of an exception and of all that led to it, with all local variables.

    Also of what ``raise ... from None`` hides: it is still there for a debugger and for crash reporters.
    """
    for each in chain(error):
        name = f"{type(each).__name__} {id(each):x}"
        yield f"{name}, text", f"{each!s}\n{each!r}\n{each.__dict__}\n{each.args!r}".encode()
        yield f"{name}, traceback", "".join(traceback.format_exception(each)).encode()
        yield f"{name}, pickle", _pickled(each)
        for frame, line in traceback.walk_tb(each.__traceback__):
            where = f"{name}, {frame.f_code.co_qualname}:{line}"
            for variable, value in _locals(frame).items():
                yield f"{where}, local {variable}", value.encode()


def chain(error: BaseException) -> list[BaseException]:
    """The exception, its causes, its contexts, and the members of groups."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in found:
            found.append(each)
            members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
            todo += [each.__cause__, each.__context__, *members]
    return found


def _pickled(error: BaseException) -> bytes:
    try:
        return bytes(cloudpickle.dumps(error))
    except (pickle.PicklingError, TypeError, AttributeError):
        return b""  # then nobody can store it


def _locals(frame: FrameType) -> dict[str, str]:
    """As a traceback of `rich` shows them, only that nothing is shortened, and as `repr` does."""
    return {
        name: f"{pretty_repr(value, max_width=_WIDE)}\n{_repr(value)}"
        for name, value in frame.f_locals.items()
    }


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - of somebody else's object, which need not have a repr
        return repr(error)
