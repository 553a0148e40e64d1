"""The checks of a connection's fields, as pydantic wants them: a `ValueError` that names the field.

pydantic's own errors quote what was given, a password too: each connection has ``HIDDEN`` against that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect.blocks.core import Block
from pydantic import ConfigDict, SecretStr, ValidationError, ValidationInfo, field_validator

from runbook.errors import InvalidInput

HIDDEN = ConfigDict(hide_input_in_errors=True)


def checked_by(check: Callable[[str, str], str], *fields: str) -> Any:
    """A validator of a connection's fields: a text becomes what ``check`` returns, a secret stays itself.

    Args:
        check: gets the value in clear, and the field's name for the reader; raises `InvalidInput`.
        fields: names. An empty value of one that may be left out is not checked.
    """

    def validate(cls: type[Block], value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str) or (not text and not cls.model_fields[name].is_required()):
            return value
        try:
            found = check(text, f"{name} of the {cls.__name__}")
        except InvalidInput as error:
            problem = f"the {error.subject} {error.answer}. {error.remedy}"
        else:
            return value if isinstance(value, SecretStr) else found
        raise ValueError(problem)

    return field_validator(*fields)(validate)


def problems_of(error: ValidationError, where: str = "") -> list[str]:
    """What is wrong with which field, below ``where``; pydantic's own text would quote the values."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    said = [([where, *map(str, one["loc"])], one["msg"].removeprefix("Value error, ")) for one in found]
    return [": ".join(filter(None, (".".join(filter(None, path)), problem))) for path, problem in said]
