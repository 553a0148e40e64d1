"""Reads YAML that other people wrote, and knows one error for all that can be wrong with it.

PyYAML lets through what its constructors raise: a date of 30 February is a ValueError, a file in Latin-1 a
UnicodeEncodeError, brackets nested a thousand deep a RecursionError. A repository belongs to many people, and
one such file must not stop whoever looks at the clusters of all of them.
"""

from __future__ import annotations

from typing import Any

import yaml

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's safe loader, the one in C where there is one: an overlay is hundreds of files."""


def documents_of(text: str) -> list[Any]:
    """All documents of a file.

    Raises:
        yaml.YAMLError: it is not YAML, or says a value that there is not.
    """
    try:
        return list(yaml.load_all(text, Loader=_LOADER))
    except (ValueError, AttributeError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from error


def document_of(text: str) -> Any:
    """The one document of a file; None if the file is empty.

    Raises:
        yaml.YAMLError: as `documents_of`, or there are several.
    """
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
    except (ValueError, AttributeError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from error
