"""Answers that say no, in GitHub's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DOCUMENTATION = "https://docs.github.com/rest"


class Problem(Exception):  # noqa: N818 - not an error of ours, an answer
    """An answer of status 400 or more.

    Args:
        status: the HTTP status.
        message: GitHub's one sentence.
        errors: the details of a 422.
        headers: such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        documentation: str = DOCUMENTATION,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.documentation = documentation
        self.errors = list(errors)
        self.headers = dict(headers or {})
        super().__init__(f"{status} {message}")

    def body(self) -> dict[str, object]:
        """The JSON of the answer."""
        details: dict[str, object] = {"errors": self.errors} if self.errors else {}
        return {
            "message": self.message,
            **details,
            "documentation_url": self.documentation,
            "status": str(self.status),
        }


def not_found() -> Problem:
    """404, also for what the token may not see."""
    return Problem(404, "Not Found")


def forbidden() -> Problem:
    """403: seen, but not allowed to this token."""
    return Problem(403, "Resource not accessible by personal access token")


def invalid(*errors: Mapping[str, str], documentation: str = DOCUMENTATION) -> Problem:
    """422 with the list of what is wrong."""
    return Problem(422, "Validation Failed", errors=errors, documentation=documentation)


def invalid_field(resource: str, field: str, code: str = "invalid") -> Problem:
    """422 about one field: ``missing_field``, ``invalid``."""
    return invalid({"resource": resource, "field": field, "code": code})


def custom(resource: str, message: str, documentation: str = DOCUMENTATION) -> Problem:
    """422 with a sentence of its own, for example about a duplicate."""
    return invalid({"resource": resource, "code": "custom", "message": message}, documentation=documentation)
