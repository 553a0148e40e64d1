"""What a cause is: one thing that is wrong, said in one line, with what a person does about it."""

from __future__ import annotations

from typing import ClassVar, Literal

Blocks = Literal["login", "session", "store"]
"""What it spoils: the login, what the session may do afterwards, or only the operator's SecretStore."""


class Cause:
    """Base of the causes, which are frozen dataclasses; their docstrings are the first column of the docs.

    Class attributes:
        system: who has it, as in errors.
        blocks: see `Blocks`.
        vault_says: what a login is answered with then (part of ``errors[0]``); empty where Vault says nothing
            of its own. Vault gives one answer for many causes, so this never finds a cause: it only tells
            which of the faults that were found is the one that Vault met first.
    """

    __slots__ = ()

    system: ClassVar[str] = "Vault"
    blocks: ClassVar[Blocks] = "login"
    vault_says: ClassVar[str] = "permission denied"

    @property
    def subject(self) -> str:
        """About what, as an operator would name it."""
        raise NotImplementedError

    @property
    def answer(self) -> str:
        """What is wrong with it, without a full stop."""
        raise NotImplementedError

    @property
    def remedy(self) -> str:
        """What a person does now."""
        raise NotImplementedError

    @property
    def line(self) -> str:
        """The cause in one line."""
        return one_line(f"{self.system}, {self.subject}: {self.answer}")


def one_line(text: str) -> str:
    """Text of a system without its line breaks: ESO's Events have whole answers of Vault in them."""
    return " ".join(text.split())


def listed(names: tuple[str, ...], nothing: str) -> str:
    """Names for a sentence."""
    return ", ".join(names) or nothing


ENABLE_AGAIN = "Run enable-cluster again for this cluster: it writes what is missing and proves the login."
