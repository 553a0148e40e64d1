"""A whole installation that is searched: its secrets, its places, and what was looked at while it worked."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from deployments.sandbox.certificates import CertificateAuthority
from deployments.sandbox.environment import CHECKOUT
from deployments.sandbox.prefect_server import PrefectServer
from tests.rights import cluster_account
from tests.secrets.exceptions import said
from tests.secrets.needles import Secret
from tests.secrets.places import Place, appended, branched, committed, files, grow_branch, new_file, objects
from tests.secrets.prefect_places import Subscription, announced, shown_by_the_api, stored
from tests.secrets.search import Finding, Searcher, Stream
from tests.secrets.watch import FolderWatch, ProcessWatch
from tests.world import REPOSITORY, World

GIT_TOKEN = "GITOPS_TOKEN"
"""The one variable of the one kind of child that is meant to have a secret: git hands it to askpass."""

_OF_VAULT = {
    "client_token": "Vault token",
    "jwt": "starter JWT",
    "token_reviewer_jwt": "reviewer JWT",
    "secret_id": "AppRole secret id",
}
"""Fields of Vault's audit log in clear, and whose value it is."""


class SearchedInstallation:
    """A world with a worker, from before its first run on.

    Attributes:
        errors: what runs in this process raised; a test adds it.
        console: what this process printed; a test adds it.
        places: all of them.
    """

    def __init__(self, world: World, server: PrefectServer, webhook_secret: str, directory: Path) -> None:
        self.world = world
        self.server = server
        self.errors: list[BaseException] = []
        self.console: list[str] = []
        self._directory = directory
        self._webhook_secret = webhook_secret
        self._key = CertificateAuthority("the cluster's clients").issue("pipeline")
        self.kubeconfig = self._kubeconfig()
        self._stack = ExitStack()
        self._temporary = directory / "tmp"
        self._temporary.mkdir(mode=0o700)
        self._default_temporary = tempfile.tempdir
        worker_temporary = Path(server.environment["TMPDIR"])
        self.processes = ProcessWatch(os.getpid())
        self.temporary = FolderWatch(worker_temporary, self._temporary)
        self.events = Subscription(server.api)
        self._before = {path: path.stat().st_mtime_ns for path in self._working_directory()}
        self.places = tuple(self._places())
        self._proved = False

    def __enter__(self) -> Self:
        tempfile.tempdir = str(self._temporary)
        for watch in (self.processes, self.temporary, self.events):
            self._stack.enter_context(watch)
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

    def secrets(self) -> list[Secret]:
        """All that there are by now: those of the connections, and those that the systems handed out."""
        found = {
            Secret.token("GitHub token", self.world.github.token_of("pipeline")),
            Secret.token("webhook secret", self._webhook_secret),
            Secret.jwt("token of the kubeconfig", self._user()["token"]),
            Secret.pem("key of the kubeconfig", self._key.key_pem),
            Secret.token("Vault token", self.world.vault.pipeline_token),
        }
        for name, value in self.values_in_vault():
            found.add((Secret.jwt if value.count(".") == 2 else Secret.token)(name, value))
        return sorted(found, key=lambda secret: secret.name)

    def values_in_vault(self) -> set[tuple[str, str]]:
        """Secrets that were sent to Vault or came from it, by name: from its audit log in clear."""
        root = self.world.vault.root_token
        values = set()
        for line in self.world.vault.raw_audit_log.read_text().splitlines():
            for name, value in _fields(json.loads(line)):
                if name in _OF_VAULT and value and value != root:
                    values.add((_OF_VAULT[name], value))
        return values

    def meant(self) -> dict[Path, str]:
        """The files that are meant to hold a secret, each with the reason. All else is searched."""
        vault = self.world.vault.audit_log.parent
        github = self.world.github.state_dir
        kubernetes = self.world.kubernetes.ca_file.parent
        return {
            vault / "root-token": "the sandbox hands it to whoever looks around in its Vault",
            vault / "unseal-key": "the same",
            vault / "pipeline-token": "what an operator puts into the VaultConnection",
            vault / "user-signing-key.pem": "stands for an identity provider",
            vault / "server.key": "the TLS key of Vault",
            vault / "raw-audit.log": "where this search takes the values from",
            github / "tokens.json": "the users of the GitHub stand-in",
            kubernetes / "admin.kubeconfig": "the administrator of the cluster",
            kubernetes / "server.key": "the TLS key of its API server",
        }

    def _kubeconfig(self) -> str:
        """Of the pipeline's own narrow account; with a client certificate beside the token, as some have."""
        account = cluster_account(self.world.kubernetes.admin_kubeconfig)
        account.create()
        config = yaml.safe_load(account.kubeconfig("ember"))
        user = config["users"][0]["user"]
        user["client-certificate-data"] = base64.b64encode(self._key.certificate_pem.encode()).decode()
        user["client-key-data"] = base64.b64encode(self._key.key_pem.encode()).decode()
        return yaml.safe_dump(config)

    def _user(self) -> dict[str, str]:
        user: dict[str, str] = yaml.safe_load(self.kubeconfig)["users"][0]["user"]
        return user

    def _places(self) -> Iterator[Place]:
        yield from stored(self.server)
        yield from shown_by_the_api(self.server.api)
        yield from announced(self.server.api, self.events)
        yield from self._of_the_machine()
        yield from self._of_the_pull_request()
        yield from self._of_the_stand_ins()

    def _of_the_machine(self) -> Iterator[Place]:
        processes, temporary = self.processes, self.temporary

        def start(arguments: Sequence[str], variables: Sequence[str]) -> None:
            environment = {f"PLANTED_{number}": text for number, text in enumerate(variables)}
            command = [sys.executable, "-c", "import time; time.sleep(600)", *arguments]
            with subprocess.Popen(command, env=environment) as child:
                processes.catch_up()
                child.kill()

        def temporary_file(name: str, texts: Sequence[str]) -> None:
            folder = Path(tempfile.mkdtemp(dir=self._temporary))
            (folder / name).write_text("\n".join(texts))
            temporary.catch_up()
            (folder / name).unlink()
            folder.rmdir()

        def configurations() -> Iterator[Stream]:
            return ((where, text) for where, text in temporary.streams if Path(where).name == "config")

        def others() -> Iterator[Stream]:
            return ((where, text) for where, text in temporary.streams if Path(where).name != "config")

        yield Place(
            "command lines of child processes",
            lambda: iter(list(processes.arguments)),
            lambda texts: start(texts, ()),
        )
        yield Place("environments of child processes", self._environments, lambda texts: start((), texts))
        yield Place(".git/config of clones", configurations, lambda texts: temporary_file("config", texts))
        yield Place("temporary files", others, lambda texts: temporary_file("file", texts))
        yield Place("working directory", self._changed, new_file(self._temporary / "planted"))
        yield Place(
            "exceptions: texts, tracebacks, local variables, pickles",
            lambda: (stream for error in self.errors for stream in said(error)),
            lambda texts: self.errors.append(_raised(texts)),
        )
        yield Place(
            "console of this process",
            lambda: iter([("console", "\n".join(self.console).encode())]),
            self.console.extend,
        )

    def _environments(self) -> Iterator[Stream]:
        for process, variable, value in list(self.processes.variables):
            if not self._is_meant(process, variable):
                yield f"{variable} of {process}", value

    @staticmethod
    def _is_meant(process: str, variable: str) -> bool:
        """Git, its own helpers, and the script that answers its questions."""
        command = process.split(maxsplit=1)[0]
        is_git = command == "git" or command.startswith("git-remote-") or "askpass.sh" in process
        return variable == GIT_TOKEN and is_git

    def meant_environments(self) -> Iterator[Stream]:
        """What the search leaves out of the environments."""
        for process, variable, value in list(self.processes.variables):
            if self._is_meant(process, variable):
                yield f"{variable} of {process}", value

    @staticmethod
    def _working_directory() -> Iterator[Path]:
        for top in CHECKOUT.iterdir():
            if top.name not in {".git", ".venv"}:
                yield from (path for path in [top, *top.rglob("*")] if path.is_file())

    def _changed(self) -> Iterator[Stream]:
        """Files that appeared or changed where the worker runs."""
        for path in (*self._working_directory(), *files_below(self._temporary / "planted")):
            if self._before.get(path) != path.stat().st_mtime_ns:
                yield str(path), path.read_bytes()

    def _of_the_pull_request(self) -> Iterator[Place]:
        repository = self.world.github.path_of(REPOSITORY)

        def pulls() -> Iterator[Stream]:
            for pull in self.world.pulls():
                number = pull["number"]
                for path in (f"/pulls/{number}", f"/pulls/{number}/commits", f"/pulls/{number}/files",
                             f"/issues/{number}/comments"):  # fmt: skip
                    yield path, self.world.as_reviewer("GET", path).content

        def pull(texts: Sequence[str]) -> None:
            head = f"planted-{len(self.world.pulls())}"
            grow_branch(repository, head)
            title, *body = texts
            made = self.world.as_reviewer(
                "POST", "/pulls", json={"title": title, "body": body[0], "head": head, "base": "main"}
            ).json()
            number = made["number"]
            for text in body[1:]:
                self.world.as_reviewer("POST", f"/issues/{number}/comments", json={"body": text})
            self.world.as_reviewer("PATCH", f"/pulls/{number}", json={"state": "closed"})

        yield Place("pull requests: title, body, comments, commits", pulls, pull)
        yield Place("Git objects: commits, files", lambda: objects(repository), committed(repository))
        yield Place("Git refs: branches", lambda: objects(repository), branched(repository))

    def _of_the_stand_ins(self) -> Iterator[Place]:
        vault = self.world.vault.audit_log
        logs = {
            "log of Vault": vault.with_name("openbao.log"),
            "log of the GitHub stand-in": self.world.github.state_dir / "requests.log",
            "log of the Kubernetes stand-in": self.world.kubernetes.request_log,
        }
        for name, log in logs.items():
            yield Place(name, partial(files, log), appended(log))
        yield Place(
            "audit log of Vault",
            lambda: files(vault),
            appended(vault, lambda text: json.dumps({"type": "planted", "text": text})),
        )
        meant = self.meant()
        for name, directory in {
            "Vault": vault.parent,
            "the GitHub stand-in": self.world.github.state_dir,
            "the Kubernetes stand-in": self.world.kubernetes.ca_file.parent,
            "the GitOps agent": self._directory / "agent",
        }.items():
            yield Place(
                f"files of {name}",
                partial(files, directory, meant=meant),
                new_file(directory / "planted"),
            )


def files_below(folder: Path) -> list[Path]:
    """All files in a folder, which need not be there."""
    return [path for path in folder.rglob("*") if path.is_file()]


def _fields(document: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _fields(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _fields(value, name)
    elif isinstance(document, str):
        yield name, document


def _raised(texts: Sequence[str]) -> BaseException:
    """An exception with the texts in its message, its hidden context and a local variable of it."""
    message, hidden, *local = texts
    try:
        try:
            credentials = {"tokens": local}
            raise ValueError(hidden)
        except ValueError:
            assert credentials
            raise RuntimeError(message) from None
    except RuntimeError as error:
        return error
