"""What git and the servers behind it say when they refuse, as errors of the pipeline."""

from __future__ import annotations

import re

from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    Conflict,
    EnablementError,
    NotAuthenticated,
    PrerequisiteMissing,
    TransientError,
    UnexpectedAnswer,
    Unreachable,
)

_MEANWHILE = re.compile("stale info|fetch first|non-fast-forward|failed to update ref|cannot lock ref")
_REJECTED = re.compile(r"^!.*\[(?:remote )?rejected\] \((.*)\)", re.MULTILINE)

_ANSWERS: tuple[tuple[str, type[EnablementError], str], ...] = (
    (
        "SSL certificate|certificate verif|CAfile|CAINFO",
        CertificateNotTrusted,
        "Set ca_cert of the GitOpsRepository to the CA that signed the server's certificate.",
    ),
    (
        "Authentication failed|could not read (Username|Password)|error: 401",
        NotAuthenticated,
        "Put a valid token that may read the repository into the GitOpsRepository.",
    ),
    (
        "error: 403|Permission to|denied to",
        AccessDenied,
        "Give the token contents, read and write, on the repository.",
    ),
    (
        "error: (301|302|303|307|308)",
        UnexpectedAnswer,
        "Redirects are not followed: set `url` of the GitOpsRepository to the repository's present address.",
    ),
    (
        "not found in upstream|couldn't find remote ref",
        PrerequisiteMissing,
        "Correct base_branch of the GitOpsRepository.",
    ),
    (
        "error: 404|not found|does not appear to be a git repository|does not exist",
        PrerequisiteMissing,
        "Correct `url` of the GitOpsRepository, or give its token access to the repository.",
    ),
    (
        "error: (429|500|502|503|504)",
        Busy,
        "The server is busy or down. It is retried automatically.",
    ),
    (
        "Could not resolve|Failed to connect|Connection refused|timed out|unable to access|early EOF|"
        "RPC failed|unexpected disconnect|hung up|Empty reply|reset by peer|expected flush|expected packfile",
        Unreachable,
        "Check `url` of the GitOpsRepository, the network, and HTTPS_PROXY of this worker.",
    ),
)
"""What git says, what it means, and what to do. The first that fits decides."""


class GitError(Exception):
    """A git command that did not end with 0. ``said`` is its output without our token."""

    def __init__(self, command: str, status: int, said: str) -> None:
        self.command, self.said = command, said
        super().__init__(f"git {command} ended with {status}")


def as_error(failed: GitError, subject: str) -> EnablementError:
    """What ``failed`` means for a person, in the server's words."""
    answer = _last_words(failed.said)
    for signs, kind, remedy in _ANSWERS:
        if re.search(signs, failed.said):
            if kind is NotAuthenticated:
                # Git would ask for a user name, and complains that there is nobody to ask.
                answer = "the server requires a login and did not accept ours"
            return kind("Git", subject, answer, remedy)
    return UnexpectedAnswer("Git", subject, f"git {failed.command}: {answer}", "Read git's message.")


def push_error(failed: GitError, subject: str) -> EnablementError:
    """What a push that failed means for a person."""
    rejected = _REJECTED.search(failed.said)
    if rejected is None:
        said = as_error(failed, subject)
        # A server that says no says so line by line; of an answer that cannot be read nobody knows.
        maybe_done = isinstance(said, TransientError | UnexpectedAnswer)
        return type(said)(said.system, said.subject, said.answer, said.remedy, maybe_done=maybe_done)
    reason, answer = rejected.group(1), _last_words(failed.said)
    if _MEANWHILE.search(reason):
        # It may have been ourselves: where a connection dies, git's HTTP library sends the push once more.
        remedy = "Somebody pushed to it meanwhile. It is retried automatically."
        return Busy("Git", subject, answer, remedy, maybe_done=True)
    if "protected" in failed.said.lower() or "permission" in reason:
        return AccessDenied("Git", subject, answer, "Allow the token's owner to push this branch.")
    return Conflict("Git", subject, answer, "Do what the server's message asks for, then retry.")


def _last_words(said: str) -> str:
    """The lines of git's output that say what went wrong, on one line of at most 500 characters."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "!"))]
    return "; ".join(dict.fromkeys(telling or lines[-1:]))[:500] or "no answer"
