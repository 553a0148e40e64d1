"""What the service is told, by flags or by variables, checked before anything starts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LEAST_SECRET = 16
"""Characters. GitHub takes any; what is shorter can be tried out by whoever caught one delivery."""

_PREFIX = "MERGE_SERVICE_"
_SECRET = f"{_PREFIX}WEBHOOK_SECRET"
_DESCRIPTION = """\
Wake the runs of enable-cluster whose change has landed: on GitHub's webhook deliveries, and by looking once a
minute. The Prefect server is the one in PREFECT_API_URL. See docs/merge-service.md.
"""


class SettingsError(Exception):
    """The service cannot start like this. The message says which setting, and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set.

    Attributes:
        host, port: where to listen; port 0 takes a free one.
        secret: the webhook's, of at least `LEAST_SECRET` characters.
        state_directory: for the ids of the deliveries; it is made.
        interval: seconds between two looks that nobody asked for.
        pending_limit: seconds after which a run in Pending counts as abandoned.
        pause: seconds between two looks at least, so that a burst of deliveries is one look. No flag sets it.
        patience: seconds that a client has for the head of a request, and again for all else; well above
            what a slow body may take. No flag sets it.
    """

    secret: bytes = field(repr=False)
    state_directory: Path
    host: str = "127.0.0.1"
    port: int = 8080
    interval: float = 60.0
    pending_limit: float = 120.0
    pause: float = 0.5
    patience: float = 20.0


def read_settings(
    arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """The settings of a command line; a flag wins over its variable.

    Raises:
        SettingsError: a value does not fit, or there is no usable secret.
        SystemExit: for ``--help`` and unknown flags, as argparse has it.
    """
    given = _parser().parse_args(arguments)

    def value(name: str, default: str = "") -> str:
        flag = getattr(given, name)
        return str(flag) if flag is not None else environ.get(_PREFIX + name.upper(), "").strip() or default

    # systemd's StateDirectory= puts its path into STATE_DIRECTORY.
    fallback = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if not fallback:
        state_home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")) / ".local/state")
        fallback = str(Path(state_home) / "vault-enablement")
    return Settings(
        secret=_secret(value("webhook_secret_file"), environ),
        state_directory=Path(value("state_directory", fallback)).expanduser(),
        host=value("host", "127.0.0.1"),
        port=_port(value("port", "8080")),
        interval=_seconds("interval", value("interval", "60"), least=1.0),
        pending_limit=_seconds("pending-limit", value("pending_limit", "120"), least=5.0),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.merge_service",
        description=_DESCRIPTION,
        epilog=f"The webhook's secret is read from --webhook-secret-file or from the variable {_SECRET}; "
        f"it has at least {LEAST_SECRET} characters. There is no start without it.",
    )
    options = {
        "host": "address to listen on; 127.0.0.1 by default, for a TLS-terminating proxy in front",
        "port": "port to listen on; 8080 by default, 0 takes a free one",
        "webhook-secret-file": "file that holds the secret of GitHub's webhook",
        "state-directory": "where seen deliveries are kept; by default systemd's STATE_DIRECTORY, else "
        "~/.local/state/vault-enablement",
        "interval": "seconds between two looks without a delivery; 60 by default",
        "pending-limit": "seconds after which a run in Pending is started again; 120 by default, more where "
        "starting a run takes minutes (images to pull)",
    }
    for name, text in options.items():
        variable = _PREFIX + name.upper().replace("-", "_")
        parser.add_argument(f"--{name}", metavar=name.split("-")[-1].upper(), help=f"{text} [{variable}]")
    return parser


def _secret(file: str, environ: Mapping[str, str]) -> bytes:
    in_environment = environ.get(_SECRET)
    if file and in_environment:
        msg = f"The secret is given twice: by --webhook-secret-file and by {_SECRET}. Keep one of them."
        raise SettingsError(msg)
    where = f"The file {file}" if file else f"The variable {_SECRET}"
    if file:
        try:
            text = Path(file).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            msg = f"--webhook-secret-file {file} cannot be read: {reason}. Name a readable file."
            raise SettingsError(msg) from None
    elif in_environment is None:
        msg = (
            "There is no webhook secret, and without one anybody could send deliveries. Give the one that is "
            f"set in GitHub, by --webhook-secret-file or by the variable {_SECRET}."
        )
        raise SettingsError(msg)
    else:
        text = in_environment
    secret = text.strip()
    if len(secret) < LEAST_SECRET:
        what = "is empty" if not secret else f"holds only {len(secret)} characters"
        msg = (
            f"{where} {what}; the webhook's secret needs at least {LEAST_SECRET}. "
            "Make one with `openssl rand -hex 32` and set it in GitHub too."
        )
        raise SettingsError(msg)
    return secret.encode()


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        msg = f"--port {text!r} is no port: give a number from 0 to 65535."
        raise SettingsError(msg)
    return int(text)


def _seconds(flag: str, text: str, *, least: float) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not least <= seconds <= 86_400.0:
        msg = f"--{flag} {text!r} does not fit: give seconds, from {least:.0f} to 86400."
        raise SettingsError(msg)
    return seconds
