"""What `make image` puts into an image, in a plain folder, and run as a cluster runs it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sandbox.environment import CHECKOUT

_SCRIPTS = CHECKOUT / "deployments" / "image"
_IN_THE_IMAGE = "/opt/vault-enablement"


class Built:
    """The files of `/opt/vault-enablement`, made by the steps of the Containerfile.

    Attributes:
        folder: where they are; an environment can't be moved, so they are used there too.
    """

    def __init__(self, directory: Path) -> None:
        """Args: directory: an empty one, for the files and their source."""
        self._directory = directory
        self.folder = directory / "vault-enablement"
        self._source = directory / "source"
        self._source.mkdir()
        # With what is changed and not committed yet.
        commit = _git("stash", "create") or "HEAD"
        _git("archive", f"--output={directory}/source.tar", commit)
        shutil.unpack_archive(directory / "source.tar", self._source)

    def build(self) -> None:
        """Make them."""
        self._install("packages", self._source, self.folder)
        self._install("code", self._source, self.folder)

    def build_again(self) -> None:
        """Make anew what pip has not unpacked, which are files that the lock file has the hashes of."""
        for compiled in list(self.folder.rglob("__pycache__")):
            shutil.rmtree(compiled)
        for part in self.folder.iterdir():
            if part.is_dir() and part.name != ".venv":
                shutil.rmtree(part)
        self._install("compile", self.folder / ".venv" / "lib")
        self._install("code", self._source, self.folder)

    def _install(self, step: str, *arguments: Path) -> None:
        done = subprocess.run(
            ["sh", _SCRIPTS / "install.sh", step, *arguments],
            # The registry is certified by the machine's own authorities.
            env={name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
            | {"PYTHON": sys.executable},
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def files(self) -> dict[str, str]:
        """The mode and the SHA-256 of each file, or where a link leads, by its path."""
        return dict(self._files())

    def _files(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_symlink():
                yield name, f"-> {path.readlink()}"
            elif path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                yield name, f"{path.stat().st_mode:o} {content}"


class Container:
    """Runs commands in the image's files as the user 1000680000 of group 0, who can write to /tmp alone."""

    def __init__(self, built: Built, directory: Path, *, writable: bool = True) -> None:
        """
        Args:
            built: the image's files.
            directory: an empty one.
            writable: whether /tmp can be written to.
        """
        self._built = built
        self._root = directory / "root"
        self._root.mkdir()
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        if built.folder.is_relative_to("/tmp"):
            (self.temporary / built.folder.relative_to("/tmp")).mkdir(parents=True)
        self.temporary.chmod(0o1777 if writable else 0o555)

    @property
    def variables(self) -> dict[str, str]:
        """Those of the image."""
        text = (_SCRIPTS / "Containerfile").read_text()
        (lines,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", text, re.MULTILINE)
        moved = lines.replace(_IN_THE_IMAGE, str(self._built.folder))
        return dict(re.findall(r"(\w+)=(\S+)", moved))

    def command(self, *command: str) -> list[str]:
        """The command that runs another one in there; to be given `variables`."""
        as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
        folder = str(self._built.folder)
        enter = ["sh", f"{Path(__file__).parent}/enter.sh", str(self._root), str(self.temporary)]
        inside = ["env", f"--chdir={folder}", f"{folder}/deployments/image/entrypoint.sh"]
        return [
            *("/usr/bin/unshare", *as_root, "--mount"),
            *(*enter, sys.base_prefix, folder, "--"),
            *(*inside, *command),
        ]

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, with more variables than the image's."""
        return subprocess.run(
            self.command(*command),
            env=self.variables | variables,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", CHECKOUT, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
