"""What the service is told, and what it refuses to start with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deployments.commands import CommandError
from deployments.merge_service.settings import read_settings
from sandbox.environment import CHECKOUT, clean_environment

SECRET = "0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERGE_SERVICE_WEBHOOK_SECRET", SECRET)


def test_a_secret_is_all_it_needs() -> None:
    settings = read_settings([])
    assert settings.read_secret() == SECRET.encode()
    assert (settings.host, settings.port, settings.interval) == ("127.0.0.1", 8080, 60.0)
    assert SECRET not in repr(settings)


def test_flags_win_over_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text("the secret in a file\n")
    monkeypatch.setenv("MERGE_SERVICE_PORT", "8")
    monkeypatch.setenv("MERGE_SERVICE_INTERVAL", "7")
    settings = read_settings(["--webhook-secret-file", str(file), "--host", "::1", "--port", "9"])
    assert (settings.host, settings.port, settings.interval) == ("::1", 9, 7.0)
    assert settings.read_secret() == b"the secret in a file"


@pytest.mark.parametrize("secret", [None, "", "   \n", "too short", " " * 40])
def test_it_refuses_a_secret_that_is_none(
    secret: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MERGE_SERVICE_WEBHOOK_SECRET")
    file = tmp_path / "file"
    if secret is not None:
        file.write_text(secret)
        monkeypatch.setenv("MERGE_SERVICE_WEBHOOK_SECRET", secret)
    with pytest.raises(CommandError, match="secret"):
        read_settings([]).read_secret()
    with pytest.raises(CommandError, match=str(file)) as refused:
        read_settings(["--webhook-secret-file", str(file)]).read_secret()
    assert "too short" not in str(refused.value)


def test_without_a_secret_it_only_polls_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MERGE_SERVICE_WEBHOOK_SECRET")
    assert read_settings(["--poll-only"]).read_secret() is None
    with pytest.raises(CommandError, match="Without a webhook, use --poll-only"):
        read_settings([]).read_secret()


def test_no_flag_takes_the_secret_itself() -> None:
    with pytest.raises(SystemExit):
        read_settings(["--webhook-secret", SECRET])


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        *[("--port", value) for value in ("-1", "65536", "http", "²")],
        ("--log-format", "xml"),
        *[("--interval", value) for value in ("0", "-5", "nan", "inf", "often")],
    ],
)
def test_it_names_the_flag_whose_value_does_not_fit(flag: str, value: str) -> None:
    with pytest.raises(CommandError, match=f"{flag} '{value}'"):
        read_settings([f"{flag}={value}"])


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
    refused = run(tmp_path, PREFECT_API_URL="http://127.0.0.1:1/api")
    assert refused.returncode == 1
    assert "The webhook's secret (MERGE_SERVICE_WEBHOOK_SECRET) has 0 characters" in refused.stderr
    refused = run(tmp_path, MERGE_SERVICE_WEBHOOK_SECRET=SECRET)
    assert refused.returncode == 1
    assert "set PREFECT_API_URL" in refused.stderr
    assert SECRET not in refused.stderr + refused.stdout
