"""Children of the sandbox see nothing of the person who runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.environment import clean_environment, replace_environment

PERSONAL = [
    "KUBECONFIG",
    "VAULT_ADDR",
    "VAULT_TOKEN",
    "BAO_ADDR",
    "BAO_TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "PREFECT_API_URL",
    "PREFECT_PROFILE",
    "HTTPS_PROXY",
    "https_proxy",
    "GIT_ASKPASS",
    "SSH_AUTH_SOCK",
    "AWS_SECRET_ACCESS_KEY",
]


def test_no_variable_of_the_person_reaches_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in PERSONAL:
        monkeypatch.setenv(variable, f"personal {variable}")
    environment = clean_environment(tmp_path / "home")
    program = "import os; print([value for value in os.environ.values() if 'personal' in value])"
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_git_of_a_child_reads_no_configuration_of_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = tmp_path / "person"
    person.mkdir()
    (person / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    monkeypatch.setenv("HOME", str(person))

    def configuration(environment: dict[str, str]) -> str:
        return subprocess.run(
            ["git", "config", "--list"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert "credential.helper=store" in configuration(
        {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    )
    assert configuration(clean_environment(tmp_path / "home")) == ""


def test_a_child_has_a_private_home_of_its_own_and_the_pinned_tools(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path / "home")
    home = Path(environment["HOME"])
    assert home == tmp_path / "home"
    assert home.stat().st_mode & 0o777 == 0o700
    assert Path(environment["PREFECT_HOME"]).is_relative_to(home)
    assert Path(environment["TMPDIR"]).is_dir()
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_replacing_an_environment_keeps_only_what_was_named(tmp_path: Path) -> None:
    environment = {"VAULT_TOKEN": "personal", "TEST_KUBECONFIG": "/cluster", "PATH": "/bin"}
    replace_environment(environment, tmp_path / "home", keep=("TEST_",), EXTRA="1")
    assert "VAULT_TOKEN" not in environment
    assert environment["TEST_KUBECONFIG"] == "/cluster"
    assert environment["EXTRA"] == "1"
    assert environment["HOME"] == str(tmp_path / "home")


def test_this_test_session_itself_has_a_home_of_its_own() -> None:
    assert Path(os.environ["HOME"]).name.startswith("vault-enablement-tests-")
    assert not [name for name in os.environ if name.startswith(("VAULT_", "BAO_", "GITHUB_", "KUBE"))]
