"""A whole installation that is searched: its secrets, its places, and what was looked at while it worked."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from sandbox.certificates import CertificateAuthority
from sandbox.prefect_server import PrefectServer
from tests.merge_service import Service
from tests.rights import account_kubeconfig
from tests.secrets.machine_places import WorkingDirectory, of_children, of_temporary_files, of_this_process
from tests.secrets.needles import Secret
from tests.secrets.places import Place, below
from tests.secrets.prefect_places import decrypted_blocks, of_prefect
from tests.secrets.search import Finding, Searcher
from tests.secrets.system_places import of_files, of_the_pull_request
from tests.secrets.watch import FolderWatch, ProcessWatch
from tests.world import World

_OF_VAULT = {
    "client_token": "Vault token",
    "jwt": "starter JWT",
    "token_reviewer_jwt": "reviewer JWT",
    "secret_id": "AppRole secret id",
}
"""Fields of Vault's audit log in clear, and whose value it is."""


class SearchedInstallation:
    """A world with a worker and a merge service, from before its first run on.

    Attributes:
        errors: what runs in this process raised; a test adds it.
        console: what this process printed; a test adds it.
        answers: what the merge service answered; a test adds it.
        former: secrets that the connections had before; a test adds them.
        places: all of them.
    """

    def __init__(self, world: World, server: PrefectServer, service: Service, directory: Path) -> None:
        """Args: service: not started yet."""
        self.world = world
        self.server = server
        self.service = service
        self.errors: list[BaseException] = []
        self.console: list[str] = []
        self.answers: list[bytes] = []
        self.former: list[Secret] = []
        self._directory = directory
        self._audited = world.vault.raw_audit_log.stat().st_size
        self._key = CertificateAuthority("the cluster's clients").issue("pipeline")
        self.kubeconfig = self._kubeconfig()
        self._stack = ExitStack()
        self._temporary = directory / "tmp"
        self._temporary.mkdir(mode=0o700)
        self._default_temporary = tempfile.tempdir
        worker_temporary = Path(server.environment["TMPDIR"])
        self.processes = ProcessWatch(os.getpid())
        self.temporary = FolderWatch(worker_temporary, self._temporary)
        self._left_by_others = set(self._clones())
        self._working_directory = WorkingDirectory(self._temporary / "planted")
        self.places = tuple(self._places())
        self._proved = False

    def __enter__(self) -> Self:
        tempfile.tempdir = str(self._temporary)
        for watch in (self.processes, self.temporary):
            self._stack.enter_context(watch)
        self._stack.callback(self.service.stop_all)
        self.service.start()
        self.world.github.webhooks.append(self.service.webhook)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tempfile.tempdir = self._default_temporary
        self._stack.__exit__(kind, error, trace)

    def prove(self) -> int:
        """See that every place shows what is planted in it. Returns how many there are."""
        blind = []
        for place in self.places:
            try:
                place.prove()
            except AssertionError as error:
                blind.append(str(error))
        assert blind == []
        self._proved = True
        return len(self.places)

    def findings(self) -> list[Finding]:
        """Every secret that is where it should not be."""
        assert self._proved, "a search that was not seen to find anything says nothing"
        self.processes.catch_up()
        self.temporary.catch_up()
        searcher = Searcher(self.secrets())
        return [finding for place in self.places for finding in searcher.find(place.name, place.read())]

    def decrypted(self) -> set[str]:
        """The secrets that the same search finds in Prefect's database once its Blocks are decrypted."""
        blocks = decrypted_blocks(self.server)
        return {found.secret for found in Searcher(self.secrets()).find("decrypted Blocks", blocks)}

    def clones_left(self) -> list[Path]:
        """Private clones that are still there. What was there before is of a test that killed a worker."""
        return [path for path in self._clones() if path not in self._left_by_others]

    def _clones(self) -> list[Path]:
        return [
            path
            for folder in self.temporary.folders
            for path in below(folder)
            if path.name.startswith("gitops-")
        ]

    def secrets(self) -> list[Secret]:
        """All that there are by now: those of the connections, and those that the systems handed out."""
        found = {
            Secret.token("GitHub token", self.world.github.token_of("pipeline")),
            Secret.token("webhook secret", self.service.secret),
            Secret.jwt("token of the kubeconfig", self._user()["token"]),
            Secret.pem("key of the kubeconfig", self._key.key_pem),
            Secret.token("Vault token", self.world.vault.pipeline_token),
            *self.former,
        }
        for name, value in self.values_in_vault():
            found.add((Secret.jwt if value.count(".") == 2 else Secret.token)(name, value))
        return sorted(found, key=lambda secret: secret.name)

    def values_in_vault(self) -> set[tuple[str, str]]:
        """Secrets that were sent to Vault or came from it since, by name: from its audit log in clear."""
        root = self.world.vault.root_token
        values = set()
        for line in self.world.vault.raw_audit_log.read_bytes()[self._audited :].splitlines():
            for name, value in _fields(json.loads(line)):
                if name in _OF_VAULT and value and value != root:
                    values.add((_OF_VAULT[name], value))
        return values

    def meant(self) -> dict[Path, str]:
        """The files that are meant to hold a secret, each with the reason. All else is searched."""
        vault = self.world.vault.audit_log.parent
        github = self.world.github.state_dir
        kubernetes = self.world.kubernetes.ca_file.parent
        meant = {
            vault / "root-token": "the sandbox hands it to whoever looks around in its Vault",
            vault / "server.key": "the TLS key of Vault",
            vault / "raw-audit.log": "where this search takes the values from",
            github / "tokens.json": "the users of the GitHub stand-in",
            kubernetes / "admin.kubeconfig": "the administrator of the cluster",
            kubernetes / "server.key": "the TLS key of its API server",
        }
        if self.service.secret_file:
            meant[self.service.secret_file] = "where the merge service reads the webhook's secret"
        return meant

    def _kubeconfig(self) -> str:
        """Of the pipeline's own narrow account; with a client certificate beside the token, as some have."""
        config = yaml.safe_load(account_kubeconfig(self.world.kubernetes.admin_kubeconfig))
        user = config["users"][0]["user"]
        user["client-certificate-data"] = base64.b64encode(self._key.certificate_pem.encode()).decode()
        user["client-key-data"] = base64.b64encode(self._key.key_pem.encode()).decode()
        return yaml.safe_dump(config)

    def _user(self) -> dict[str, str]:
        user: dict[str, str] = yaml.safe_load(self.kubeconfig)["users"][0]["user"]
        return user

    def _places(self) -> Iterator[Place]:
        yield from of_prefect(self.server)
        yield from of_children(self.processes)
        yield of_temporary_files(self.temporary)
        yield self._working_directory.place()
        yield from of_this_process(self.errors, self.console)
        yield from of_the_pull_request(self.world)
        directories = {
            "Vault": self.world.vault.audit_log.parent,
            "the GitHub stand-in": self.world.github.state_dir,
            "the Kubernetes stand-in": self.world.kubernetes.ca_file.parent,
            "the GitOps agent": self._directory / "agent",
            "the merge service": self.service.directory,
        }
        yield from of_files(directories, self.meant())
        yield Place(
            "answers of the merge service",
            lambda: iter([("answers", b"\n".join(self.answers))]),
            lambda texts: self.answers.extend(text.encode() for text in texts),
        )


def _fields(document: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _fields(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _fields(value, name)
    elif isinstance(document, str):
        yield name, document
