"""What an organisation calls things, kept where runs find it."""

from __future__ import annotations

from typing import ClassVar

from prefect.blocks.core import Block

from connections.fields import HIDDEN
from runbook.conventions import Conventions


class RunbookConventions(Conventions, Block):
    """The names of an organisation, for runs that name this Block. It has no secret."""

    _block_type_name: ClassVar[str] = "Runbook Conventions"
    _block_type_slug: ClassVar[str] = "runbook-conventions"
    model_config = HIDDEN

    @property
    def described(self) -> Conventions:
        """The names alone, which compare with those of other runs."""
        return Conventions(**{field: getattr(self, field) for field in Conventions.model_fields})
