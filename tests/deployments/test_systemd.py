"""The units of systemd: what they start is there, and what they set is known."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import prefect.settings
import pytest

from deployments.merge_service.settings import Settings
from sandbox.environment import CHECKOUT

UNITS = sorted((CHECKOUT / "deployments" / "systemd").glob("*.service"))
PAGE = (CHECKOUT / "docs" / "one-machine.md").read_text()
INSTALLED = "/opt/vault-enablement"


def lines(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.M)


def variables(unit: Path) -> list[str]:
    return [one.split("=")[0] for line in lines(unit, "Environment") for one in shlex.split(line)]


def of_the_merge_service() -> set[str]:
    prefix = Settings.model_config["env_prefix"]
    return {f"{prefix}{name}".upper() for name in Settings.model_fields}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_what_is_there_with_variables_that_mean_something(unit: Path) -> None:
    (command,) = lines(unit, "ExecStart")
    program, *arguments = shlex.split(command)
    here = CHECKOUT / Path(program).relative_to(INSTALLED)
    assert shutil.which(here)
    words = [one for one in arguments if not one.startswith("--")][:2] if "-m" not in arguments else arguments
    asked = subprocess.run([here, *words, "--help"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    for flag in (one for one in arguments if one.startswith("--")):
        assert flag in asked.stdout
    ours = {"ENABLEMENT_CHECKOUT", "PATH"} | of_the_merge_service()
    for name in set(variables(unit)) - ours:
        assert hasattr(prefect.settings, name), name


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_again_needs_no_right_and_its_files_are_made_by_the_page(unit: Path) -> None:
    assert lines(unit, "Restart") == ["always"]
    assert lines(unit, "NoNewPrivileges") == ["yes"]
    assert lines(unit, "CapabilityBoundingSet") == [""]
    assert lines(unit, "ProtectSystem") == ["strict"]
    for file in lines(unit, "EnvironmentFile") + [one.split(":")[1] for one in lines(unit, "LoadCredential")]:
        assert Path(file).parent == Path("/etc/vault-enablement")
        assert f"> {Path(file).name}\n" in PAGE
    assert unit.stem in PAGE


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not on this machine")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_a_unit(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(INSTALLED, str(CHECKOUT)))
    said = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
