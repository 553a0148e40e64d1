"""Runs git as a child process that knows our credentials and nothing of the person's.

GitPython hands its children the whole environment of this process, and its errors quote command lines. Here
the environment is built from nothing: no credential helper, no hook, no configuration of the person or the
machine, no prompt. The token is only in the environment of the one process that needs it: never in argv, an
address, a file or an error.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from runbook.addresses import check_address
from systems.git_refusals import GitError, as_error
from systems.proxies import proxy_for


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository on a server, and as whom we come.

    Args:
        url: http(s) address, without credentials.
        token: sent as the password of `x-access-token`; GitHub takes any user name.
        ca_pem: certificates to trust instead of the system's.

    Raises:
        InvalidInput: the address carries credentials, or is of another kind. The message never quotes it.
    """

    url: str
    token: SecretStr | None = None
    ca_pem: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_address(self.url, "url of the GitOpsRepository", http="loopback")
        # Git knows a scheme in small letters only.
        object.__setattr__(self, "url", urlsplit(self.url).geturl())


@dataclass(frozen=True, slots=True)
class GitCommand:
    """Git in an environment of its own.

    Args:
        home: an empty private folder, which git takes for the person's home.
        timeout: seconds that one command may take.
    """

    home: Path
    timeout: float

    @property
    def folder(self) -> Path:
        """The git directory that all commands work on."""
        return self.home / "repository.git"

    def talk(self, remote: Remote, subject: str, *arguments: str, stdin: bytes = b"") -> str:
        """What ``git <arguments>``, which may talk to ``remote``, prints.

        Raises:
            EnablementError: what git or the server said, as an error about ``subject``.
        """
        try:
            return self.run(*arguments, remote=remote, stdin=stdin)
        except GitError as error:
            raise as_error(error, subject) from error

    def run(self, *arguments: str, remote: Remote | None = None, stdin: bytes = b"") -> str:
        """What ``git <arguments>`` prints. Without a ``remote`` it talks to nobody.

        Raises:
            GitError: git ended with something else than 0, or was stopped after ``timeout``.
        """
        # What we lack we ask for by name. Where an answer is none of Git's (a web page), git walks the
        # repository file by file, lacks objects, fetches them by a git that walks, and so on without end.
        lazy = {"GIT_NO_LAZY_FETCH": "0" if arguments[0] == "push" else "1"}
        # No local variable for the environment: a traceback with local variables would show the token.
        process = subprocess.Popen(
            ["git", *arguments],
            env=self.environment(remote) | lazy,
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
            said = f"{err.decode('utf-8', 'replace')}\n{output}"
            if remote is not None and remote.token:
                said = said.replace(remote.token.get_secret_value(), "***")
                said = said.replace(_login(remote.token), "***")
            raise GitError(arguments[0], process.returncode, said.strip())
        return output

    def environment(self, remote: Remote | None = None) -> dict[str, str]:
        """The variables of a command that talks to ``remote``; of one that works on this disk without."""
        settings = {
            "core.hooksPath": os.devnull,
            "credential.helper": "",
            "gc.auto": "0",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": "30",  # seconds of less than 1 kB/s, after which a transfer is given up
            "protocol.version": "2",
        }
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "LC_ALL": "C",
            # A command without a remote must not fetch either what a partial clone lacks.
            "GIT_ALLOW_PROTOCOL": "https:http" if remote is not None else "none",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(self.folder),
            "GIT_TERMINAL_PROMPT": "0",
        }
        if remote is not None:
            settings |= {"http.followRedirects": "false", "http.proxy": proxy_for(remote.url)}
            if remote.ca_pem is not None:
                ca_file = self.home / "ca.pem"
                ca_file.write_text(remote.ca_pem)
                settings["http.sslCAInfo"] = str(ca_file)
            if remote.token is not None:
                # Sent at once, to this server alone: with an askpass script git is first refused each time.
                server = "{0.scheme}://{0.netloc}/".format(urlsplit(remote.url))
                settings[f"http.{server}.extraHeader"] = f"Authorization: Basic {_login(remote.token)}"
        # Overrides every file of configuration, as git documents it.
        for number, (key, value) in enumerate(settings.items()):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return environment | {"GIT_CONFIG_COUNT": str(len(settings))}


def _login(token: SecretStr) -> str:
    """``token`` as HTTP's basic scheme sends it; GitHub takes any user name."""
    return base64.b64encode(f"x-access-token:{token.get_secret_value()}".encode()).decode()
