"""What other systems have of a run: pull requests, Git objects, files with their logs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.world import REPOSITORY
from tests.secrets.places import Place, committed, files, grow_branch, new_file, objects
from tests.secrets.search import Stream
from tests.world import World


def of_the_pull_request(world: World) -> Iterator[Place]:
    """What everybody who may read the repository sees."""
    repository = world.github.path_of(REPOSITORY)

    def pulls() -> Iterator[Stream]:
        for pull in world.pulls():
            number = pull["number"]
            for path in (f"/pulls/{number}", f"/issues/{number}/comments"):
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

    yield Place("pull requests: title, body, comments", pulls, pull)
    yield Place("Git objects, refs", lambda: objects(repository), committed(repository))


def of_files(directories: Mapping[str, Path], meant: Collection[Path]) -> Iterator[Place]:
    """Files and logs of systems, each in a directory of its own."""
    for name, directory in directories.items():
        yield Place(
            f"files of {name}", partial(files, directory, meant=meant), new_file(directory / "planted")
        )
