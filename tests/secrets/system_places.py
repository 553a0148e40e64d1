"""What other systems have of a run: pull requests and Git objects, logs and files, the merge service."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.e2e.merge_service import Service
from tests.secrets.places import Place, appended, branched, committed, files, grow_branch, new_file, objects
from tests.secrets.search import Stream
from tests.world import REPOSITORY, World


def of_the_pull_request(world: World) -> Iterator[Place]:
    """What everybody who may read the repository sees."""
    repository = world.github.path_of(REPOSITORY)

    def pulls() -> Iterator[Stream]:
        for pull in world.pulls():
            number = pull["number"]
            for path in (f"/pulls/{number}", f"/pulls/{number}/commits", f"/pulls/{number}/files",
                         f"/issues/{number}/comments"):  # fmt: skip
                yield path, world.as_reviewer("GET", path).content

    def pull(texts: Sequence[str]) -> None:
        head = f"planted-{len(world.pulls())}"
        grow_branch(repository, head)
        title, *body = texts
        made = world.as_reviewer(
            "POST", "/pulls", json={"title": title, "body": body[0], "head": head, "base": "main"}
        ).json()
        number = made["number"]
        for text in body[1:]:
            world.as_reviewer("POST", f"/issues/{number}/comments", json={"body": text})
        world.as_reviewer("PATCH", f"/pulls/{number}", json={"state": "closed"})

    yield Place("pull requests: title, body, comments, commits", pulls, pull)
    yield Place("Git objects: commits, files", lambda: objects(repository), committed(repository))
    yield Place("Git refs: branches", lambda: objects(repository), branched(repository))


def of_the_stand_ins(world: World, agent: Path, meant: Collection[Path]) -> Iterator[Place]:
    """Logs and files of Vault, of the stand-ins, and of the GitOps agent, whose folder is ``agent``."""
    vault = world.vault.audit_log
    yield from _logs(
        {
            "Vault": vault.with_name("openbao.log"),
            "the GitHub stand-in": world.github.state_dir / "requests.log",
            "the Kubernetes stand-in": world.kubernetes.request_log,
        }
    )
    yield Place(
        "audit log of Vault",
        lambda: files(vault),
        appended(vault, lambda text: json.dumps({"type": "planted", "text": text})),
    )
    directories = {
        "Vault": vault.parent,
        "the GitHub stand-in": world.github.state_dir,
        "the Kubernetes stand-in": world.kubernetes.ca_file.parent,
        "the GitOps agent": agent,
    }
    yield from _files(directories, meant)


def of_the_merge_service(service: Service, answers: list[bytes], meant: Collection[Path]) -> Iterator[Place]:
    """Its log, its state, and what it answered; its argv and environment are those of a child process."""
    yield from _logs({"the merge service": service.log_file})
    yield from _files({"the merge service": service.directory}, meant)
    yield Place(
        "answers of the merge service",
        lambda: iter([("answers", b"\n".join(answers))]),
        lambda texts: answers.extend(text.encode() for text in texts),
    )


def _logs(logs: Mapping[str, Path]) -> Iterator[Place]:
    for name, log in logs.items():
        yield Place(f"log of {name}", partial(files, log), appended(log))


def _files(directories: Mapping[str, Path], meant: Collection[Path]) -> Iterator[Place]:
    for name, directory in directories.items():
        yield Place(
            f"files of {name}", partial(files, directory, meant=meant), new_file(directory / "planted")
        )
