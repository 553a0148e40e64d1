"""What an organisation calls things, kept where runs find it."""

from __future__ import annotations

from typing import Any, ClassVar

from prefect.blocks.core import Block
from pydantic import model_validator

from connections.fields import HIDDEN
from runbook.conventions import Conventions


class RunbookConventions(Conventions, Block):
    """The names of an organisation, for runs that name this Block. It has no secret."""

    _block_type_name: ClassVar[str] = "Runbook Conventions"
    _block_type_slug: ClassVar[str] = "runbook-conventions"
    model_config = HIDDEN

    @model_validator(mode="before")
    @classmethod
    def _has_no_other_fields(cls, values: Any) -> Any:
        """A misspelled field would leave the runbook's name in its place, and Prefect's Blocks take any."""
        unknown = set(values if isinstance(values, dict) else ()) - {*cls.model_fields, "block_type_slug"}
        if unknown:
            msg = f"{', '.join(sorted(unknown))}: no such field"
            raise ValueError(msg)
        return values

    @property
    def described(self) -> Conventions:
        """The names alone, which compare with those of other runs."""
        return Conventions(**{field: getattr(self, field) for field in Conventions.model_fields})
