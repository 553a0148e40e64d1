"""The environment of every process that the sandbox or a test starts.

Built from nothing rather than cleaned from what the person has: a variable that nobody thought of can then
not reach a child. Without this, trying the sandbox out could use the cluster in the person's ``KUBECONFIG``,
the Vault in ``VAULT_ADDR``, the Prefect server of an active profile, or a token from a git credential helper.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
"""Root of the checkout, from which ``flows``, ``tasks`` and ``deployments`` are imported."""


def clean_environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment that holds nothing of the person who runs us but ``PATH``.

    Args:
        home: becomes HOME; it is made (mode 0700), with a directory for temporary files and one for Prefect.
        extra: further variables, which win.

    Returns:
        The whole environment of a child process.
    """
    home = home.resolve()
    temporary = home / "tmp"
    for directory in (home, temporary):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    interpreter = str(Path(sys.executable).parent)
    return {
        # The virtual environment first: its `prefect`, `bao` and `kubectl` are the pinned ones.
        "PATH": os.pathsep.join([interpreter, os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        "PREFECT_HOME": str(home / "prefect"),
        # Both halves of Prefect's telemetry: the server's heartbeat and the client's events.
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # No credential helper, no signing key, no hook, no URL rewriting of the person.
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "NO_PROXY": "127.0.0.1,localhost",
        **extra,
    }


def replace_environment(
    environ: MutableMapping[str, str], home: Path, keep: tuple[str, ...] = (), **extra: str
) -> None:
    """Turn ``environ`` (normally ``os.environ``) into a clean environment, in place.

    Args:
        environ: what is emptied and filled again.
        home: as for `clean_environment`.
        keep: prefixes of the variables that survive, such as ``"TEST_"``.
        extra: further variables, which win.
    """
    kept = {name: value for name, value in environ.items() if name.startswith(keep)} if keep else {}
    clean = clean_environment(home, **{**kept, **extra})
    for name in list(environ):
        del environ[name]
    environ.update(clean)
