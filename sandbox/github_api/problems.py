"""Answers that say no, in GitHub's words."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import JSONResponse


class Problem(Exception):  # noqa: N818 - not an error of ours, an answer
    """An answer of status 400 or more.

    Args:
        status: the HTTP status.
        message: GitHub's one sentence.
        error: the detail of a 422.
        headers: such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        error: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.error = error
        self.headers = headers
        super().__init__(f"{status} {message}")

    def answer(self) -> JSONResponse:
        """The answer."""
        body = {
            "message": self.message,
            **({"errors": [self.error]} if self.error else {}),
            "documentation_url": "https://docs.github.com/rest",
        }
        return JSONResponse(body, self.status, self.headers)


def not_found() -> Problem:
    """404, also for what the token may not see."""
    return Problem(404, "Not Found")


def forbidden() -> Problem:
    """403: seen, but not allowed to this token."""
    return Problem(403, "Resource not accessible by personal access token")


def invalid_field(resource: str, field: str) -> Problem:
    """422 about one field."""
    return Problem(422, "Validation Failed", {"resource": resource, "field": field, "code": "invalid"})


def custom(message: str) -> Problem:
    """422 about a pull request with a sentence of its own, for example about a duplicate."""
    error = {"resource": "PullRequest", "code": "custom", "message": message}
    return Problem(422, "Validation Failed", error)
