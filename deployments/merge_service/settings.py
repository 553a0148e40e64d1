"""What the service is told, by flags or by variables, checked before anything starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deployments.commands import CommandError
from deployments.merge_service.logs import Format

LEAST_SECRET = 16
"""Characters. GitHub takes any; what is shorter can be tried out by whoever caught one delivery."""

_SECRET = "MERGE_SERVICE_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable


class Settings(BaseSettings):
    """Wake the runs whose change has landed: when GitHub says so, and once a minute.

    Each flag has a variable: MERGE_SERVICE_INTERVAL is --interval. The webhook's secret is read from
    --webhook-secret-file or from MERGE_SERVICE_WEBHOOK_SECRET, never from a flag. The Prefect server is the
    one in PREFECT_API_URL. See docs/merge-service.md.
    """

    model_config = SettingsConfigDict(
        env_prefix="MERGE_SERVICE_",
        cli_prog_name="python -m deployments.merge_service",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        frozen=True,
    )

    host: str = Field(
        default="127.0.0.1", description="address to listen on; leave it for a TLS-terminating proxy in front"
    )
    port: int = Field(default=8080, ge=1, le=65535, description="port to listen on")
    webhook_secret_file: Path | None = Field(
        default=None, description="file with the secret of GitHub's webhook"
    )
    poll_only: bool = Field(
        default=False, description="take no deliveries, only check every --interval; needs no secret"
    )
    interval: float = Field(
        default=60.0, ge=1, le=86_400, description="seconds between two checks without a delivery"
    )

    log_format: Format = Field(
        default="text", description="of the log on standard error; json: an object on each line"
    )

    def read_secret(self) -> bytes | None:
        """The webhook's secret, of the file if there is one; None where no deliveries are taken.

        Raises:
            CommandError: there is none, or it is too short, or the file cannot be read.
        """
        if self.poll_only:
            return None
        file = self.webhook_secret_file
        try:
            given = file.expanduser().read_text("utf-8") if file else os.environ.get(_SECRET, "")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"--webhook-secret-file {file} cannot be read: {type(error).__name__}."
            raise CommandError(msg) from None
        secret = given.strip()
        if len(secret) < LEAST_SECRET:
            msg = (
                f"The webhook's secret ({file or _SECRET}) has {len(secret)} characters and needs "
                f"{LEAST_SECRET} or more: else anybody could send deliveries. Make one with `openssl rand "
                f"-hex 32`, set it in GitHub too, and in --webhook-secret-file or {_SECRET}. "
                "Without a webhook, use --poll-only."
            )
            raise CommandError(msg)
        return secret.encode()


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """The settings of a command line (of this process if not given); a flag wins over its variable.

    Raises:
        CommandError: a value does not fit.
        SystemExit: for ``--help`` and unknown flags.
    """
    try:
        return Settings(_cli_parse_args=True if arguments is None else list(arguments))
    except ValidationError as error:
        one = error.errors(include_url=False)[0]
        flag = str(one["loc"][0]).replace("_", "-")
        msg = f"--{flag} {one['input']!r} does not fit: {one['msg']}."
        raise CommandError(msg) from None
