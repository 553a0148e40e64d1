"""One file of a package that npm knows, for tests that are marked ``download``."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

from sandbox.environment import clean_environment


def fetch(package: str, member: str, folder: Path) -> bytes:
    """Fetch a package (``@scope/name@version``) into ``folder``; returns the content of one of its files."""
    npm = shutil.which("npm")
    assert npm is not None, f"npm is needed to fetch {package}; install Node.js, or deselect `download`"
    done = subprocess.run(
        [npm, "pack", "--silent", package],
        cwd=folder,
        env=clean_environment(folder / "home"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"npm pack {package} failed: {done.stderr}"
    with tarfile.open(folder / done.stdout.split()[-1]) as archive:
        content = archive.extractfile(member)
        assert content is not None, f"{package} holds no {member}"
        return content.read()
