"""Runs git as a child process that knows our credentials and nothing of the person's.

GitPython hands its children the whole environment of this process, and its errors quote command lines. Here
the environment is built from nothing: no credential helper, no hook, no configuration of the person or the
machine, no prompt. The token is only in the environment of the one process that needs it, and reaches git
through an askpass script: never argv, an address, a file or an error.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    EnablementError,
    InvalidInput,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)

_ASKPASS = Path(__file__).with_name("askpass.sh")
_LOW_SPEED_SECONDS = 30
"""A transfer that moves less than 1 kB/s for this long is given up."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository on a server, and as whom we come.

    Args:
        url: http(s) or file address, without credentials; an absolute path is taken for a file address.
        username: what git sends with the token; GitHub takes any.
        ca_pem: certificates to trust instead of the system's.
        proxy: address of a proxy; none is taken from the environment.
        name: what a clone calls it.

    Raises:
        InvalidInput: the address carries credentials, or is of another kind. The message never quotes it.
    """

    url: str
    token: SecretStr | None = None
    username: str = "x-access-token"
    ca_pem: str | None = field(default=None, repr=False)
    proxy: str = ""
    name: str = "origin"

    def __post_init__(self) -> None:
        if self.url.startswith("/"):
            object.__setattr__(self, "url", f"file://{self.url}")
        parts = urlsplit(self.url)
        if parts.scheme not in {"https", "http", "file"}:
            raise _bad_url("is not an https, http or file address")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise _bad_url("carries credentials or a query")

    @property
    def server(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc


def _bad_url(answer: str) -> InvalidInput:
    return InvalidInput(
        "input",
        "address of the GitOps repository",
        answer,
        "Give it as https://<server>/<owner>/<name>.git, and the token in its own field.",
    )


class GitError(Exception):
    """A git command that did not end with 0. ``said`` is its output without our token."""

    def __init__(self, command: str, status: int, said: str) -> None:
        self.command, self.status, self.said = command, status, said
        super().__init__(f"git {command} ended with {status}")


@dataclass(frozen=True, slots=True)
class GitCommand:
    """Git in an environment of its own.

    Args:
        home: an empty private folder, which git takes for the person's home.
        timeout: seconds that one command may take.
    """

    home: Path
    timeout: float

    def run(
        self,
        *arguments: str,
        folder: Path | None = None,
        remote: Remote | None = None,
        stdin: bytes = b"",
        fetch_what_lacks: bool = False,
    ) -> str:
        """What ``git <arguments>`` prints.

        Args:
            folder: the git directory to work on.
            remote: whom the command may talk to; without one it gets no credentials.
            fetch_what_lacks: whether git may fetch objects that it turns out to lack.

        Raises:
            GitError: git ended with something else than 0, or was stopped after ``timeout``.
        """
        # What we lack we ask for by name. Where an answer is none of Git's (a web page), git walks the
        # repository file by file, lacks objects, fetches them by a git that walks, and so on without end.
        # No local variable for the environment: a traceback with local variables would show the token.
        process = subprocess.Popen(
            ["git", *arguments],
            env=self._environment(folder, remote) | {"GIT_NO_LAZY_FETCH": str(int(not fetch_what_lacks))},
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # git's helpers for http are ended with it
        )
        try:
            out, err = process.communicate(stdin, timeout=self.timeout)
        except subprocess.TimeoutExpired as error:
            raise GitError(arguments[0], -1, f"timed out after {self.timeout:g} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        output = out.decode("utf-8", "surrogateescape")
        if process.returncode != 0:
            said = _without_token(f"{err.decode('utf-8', 'replace')}\n{output}", remote)
            raise GitError(arguments[0], process.returncode, said.strip())
        return output

    def _environment(self, folder: Path | None, remote: Remote | None) -> dict[str, str]:
        settings = {
            "core.hooksPath": os.devnull,
            "credential.helper": "",
            "gc.auto": "0",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": str(_LOW_SPEED_SECONDS),
            "protocol.version": "2",
        }
        # A command without a remote must not fetch either what a partial clone lacks.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "LC_ALL": "C",
            "GIT_ALLOW_PROTOCOL": "https:http:file" if remote is not None else "none",
            "GIT_ASKPASS": os.devnull,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        if folder is not None:
            environment["GIT_DIR"] = str(folder)
        if remote is not None:
            settings["http.proxy"] = remote.proxy
            if remote.ca_pem is not None:
                ca_file = self.home / f"{hashlib.sha256(remote.ca_pem.encode()).hexdigest()[:16]}.pem"
                ca_file.write_text(remote.ca_pem)
                settings["http.sslCAInfo"] = str(ca_file)
            if remote.token is not None:
                environment |= {
                    "GIT_ASKPASS": str(_ASKPASS),
                    "GITOPS_SERVER": remote.server,
                    "GITOPS_USERNAME": remote.username,
                    "GITOPS_TOKEN": remote.token.get_secret_value(),
                }
        return environment | _as_variables(settings)


def _as_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Configuration that overrides every file, given to git as it documents it."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _without_token(said: str, remote: Remote | None) -> str:
    secret = remote.token.get_secret_value() if remote is not None and remote.token is not None else ""
    return said.replace(secret, "***") if secret else said


_ANSWERS: tuple[tuple[tuple[str, ...], type[EnablementError], str], ...] = (
    (
        ("SSL certificate", "certificate verif", "CAfile", "CAINFO"),
        CertificateNotTrusted,
        "Give the server's CA in the GitOps connection.",
    ),
    (
        ("Authentication failed", "could not read Username", "could not read Password", "error: 401"),
        AccessDenied,
        "Give the GitOps connection a token that is valid and may read the repository.",
    ),
    (
        ("error: 403", "Permission to", "denied to"),
        AccessDenied,
        "Give the token the right to read and write the repository's content.",
    ),
    (
        ("not found in upstream", "couldn't find remote ref"),
        PrerequisiteMissing,
        "Correct the base branch in the GitOps connection.",
    ),
    (
        ("error: 404", "not found", "does not appear to be a git repository", "does not exist"),
        PrerequisiteMissing,
        "Correct the address, or give the token the right to see the repository.",
    ),
    (
        ("error: 429", "error: 500", "error: 502", "error: 503", "error: 504"),
        Busy,
        "The server is busy or down for the moment; the run tries again.",
    ),
    (
        (
            *(
                "Could not resolve",
                "Failed to connect",
                "Connection refused",
                "timed out",
                "unable to access",
            ),
            *("early EOF", "RPC failed", "unexpected disconnect", "hung up", "Empty reply", "reset by peer"),
            *("expected flush", "expected packfile"),
        ),
        Unreachable,
        "Check the address, the network and the proxy of the GitOps connection.",
    ),
)


def as_error(failed: GitError, subject: str) -> EnablementError:
    """What ``failed`` means for a person, in the server's words. The first sign that fits decides."""
    answer = last_words(failed.said)
    for signs, kind, remedy in _ANSWERS:
        if any(sign in failed.said for sign in signs):
            return kind("Git", subject, answer, remedy)
    return UnexpectedAnswer("Git", subject, f"git {failed.command}: {answer}", "Read git's message.")


def last_words(said: str) -> str:
    """The lines of git's output that say what went wrong, on one line of at most 500 characters."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "!"))]
    return "; ".join(dict.fromkeys(telling or lines[-1:]))[:500] or "no answer"
