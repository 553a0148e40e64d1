"""What the service is told, and what it refuses to start with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deployments.merge_service.settings import Settings, SettingsError, read_settings
from deployments.sandbox.environment import CHECKOUT, clean_environment

SECRET = "0123456789abcdef"
ENVIRONMENT = {"MERGE_SERVICE_WEBHOOK_SECRET": SECRET, "HOME": "/home/somebody"}


def test_a_secret_is_all_it_needs() -> None:
    assert read_settings([], ENVIRONMENT) == Settings(
        secret=SECRET.encode(),
        state_directory=Path("/home/somebody/.local/state/vault-enablement"),
        host="127.0.0.1",
        port=8080,
        interval=60.0,
        pending_limit=120.0,
    )


def test_flags_win_over_variables(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("the secret in a file\n")
    arguments = ["--webhook-secret-file", str(file), "--host", "::1", "--port", "9", "--interval", "5"]
    variables = {"MERGE_SERVICE_PORT": "8", "MERGE_SERVICE_PENDING_LIMIT": "7", "STATE_DIRECTORY": "/state"}
    settings = read_settings(arguments, variables)
    assert settings == Settings(b"the secret in a file", Path("/state"), "::1", 9, 5.0, 7.0)
    assert "the secret in a file" not in repr(settings)


@pytest.mark.parametrize("secret", [None, "", "   \n", "too short", " " * 40])
def test_it_refuses_a_secret_that_is_none(secret: str | None, tmp_path: Path) -> None:
    environment = {} if secret is None else {"MERGE_SERVICE_WEBHOOK_SECRET": secret}
    with pytest.raises(SettingsError, match="secret"):
        read_settings([], environment)
    file = tmp_path / "file"
    if secret is not None:
        file.write_text(secret)
    with pytest.raises(SettingsError, match=str(file)) as refused:
        read_settings(["--webhook-secret-file", str(file)], {})
    assert "too short" not in str(refused.value)


def test_it_refuses_a_secret_that_is_given_twice(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    with pytest.raises(SettingsError, match="given twice"):
        read_settings(["--webhook-secret-file", str(file)], ENVIRONMENT)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        *[("--port", value) for value in ("-1", "65536", "http", "²")],
        *[("--interval", value) for value in ("0", "-5", "nan", "inf", "often")],
        ("--pending-limit", "1"),
    ],
)
def test_it_names_the_flag_whose_value_does_not_fit(flag: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{flag} '{value}'"):
        read_settings([f"{flag}={value}"], ENVIRONMENT)


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deployments.merge_service", *arguments],
        env=clean_environment(tmp_path / "home", **environment),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.long
def test_the_process_does_not_start_without_a_secret_or_a_prefect_server(tmp_path: Path) -> None:
    refused = run(tmp_path, "--port", "0", PREFECT_API_URL="http://127.0.0.1:1/api")
    assert refused.returncode == 1
    assert "There is no webhook secret" in refused.stderr
    refused = run(tmp_path, "--port", "0", MERGE_SERVICE_WEBHOOK_SECRET=SECRET)
    assert refused.returncode == 1
    assert "set PREFECT_API_URL" in refused.stderr
    assert SECRET not in refused.stderr + refused.stdout
