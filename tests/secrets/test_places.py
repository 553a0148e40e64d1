"""Each kind of place is read whole: what is planted in it is found."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.lingering import LINGERING
from tests.secrets.machine_places import of_this_process
from tests.secrets.needles import Secret
from tests.secrets.places import Place, committed, files, grow_branch, new_file, objects, rows, set_head
from tests.secrets.search import Searcher, Stream
from tests.secrets.watch import FolderWatch, ProcessWatch

VALUE = "planted-b4f0c2d9e8a7163525"
SEARCHER = Searcher([Secret.token("token", VALUE)])


def places_of(streams: Iterator[Stream]) -> list[str]:
    return list(dict.fromkeys(finding.where for finding in SEARCHER.find("here", streams)))


def test_files_are_read_with_their_names_but_those_that_are_meant(tmp_path: Path) -> None:
    meant = tmp_path / "meant"
    meant.write_text(VALUE)
    Place("files", lambda: files(tmp_path, meant=[meant]), new_file(tmp_path / "deep" / "inside")).prove()
    assert places_of(files(tmp_path, meant=[meant])) == []
    assert places_of(files(tmp_path)) == [str(meant)]
    (tmp_path / VALUE).mkdir()
    assert places_of(files(tmp_path, meant=[meant])) == [f"name of {tmp_path / VALUE}"]


def test_every_column_of_every_table_is_read(tmp_path: Path) -> None:
    database = tmp_path / "some.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table a (id integer primary key, text text, blob blob, number float)")
        connection.execute("create table 'b c' (data json)")
        connection.execute("insert into a (text) values (?)", (VALUE,))
        connection.execute("insert into a (blob) values (?)", (b"\0\xff" + VALUE.encode(),))
        connection.execute("insert into a (number) values (?)", (VALUE,))
        connection.execute("insert into 'b c' values (?)", (f'{{"a": "{VALUE}"}}',))
        connection.commit()
    assert places_of(rows(database)) == ["a.text", "a.blob", "a.number", "b c.data"]


def test_all_objects_and_refs_of_a_repository_are_read(tmp_path: Path) -> None:
    repository = tmp_path / "bare.git"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "init", "--quiet", "--bare", str(repository)], check=True)
    tree = subprocess.run(
        [*git, f"--git-dir={repository}", "mktree"], input=b"", capture_output=True, check=True
    ).stdout.decode()
    commit = subprocess.run(
        [*git, f"--git-dir={repository}", "commit-tree", "-m", "first", tree.strip()],
        capture_output=True,
        check=True,
    ).stdout.decode()
    subprocess.run([*git, f"--git-dir={repository}", "update-ref", "HEAD", commit.strip()], check=True)
    Place("repository", lambda: objects(repository), committed(repository)).prove()
    grow_branch(repository, VALUE)
    assert places_of(objects(repository)) == ["refs"]
    set_head(repository, VALUE, None)
    subprocess.run([*git, f"--git-dir={repository}", "repack", "-adq", "--keep-unreachable"], check=True)
    Place("packed repository", lambda: objects(repository), committed(repository)).prove()
    (repository / "config").write_text(f"[remote]\n\turl = https://x:{VALUE}@example.com\n")
    assert places_of(objects(repository)) == ["config"]


def test_an_exception_is_read_with_all_that_led_to_it_and_all_local_variables() -> None:
    exceptions, _console = of_this_process([], [])
    exceptions.prove()


_PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {LINGERING!r}, "--token=" + sys.argv[1]], env={{"SECRET": sys.argv[1]}})
"""


def test_command_lines_and_environments_of_children_are_seen() -> None:
    with ProcessWatch(os.getpid()) as watch:
        child = subprocess.Popen([sys.executable, "-c", _PARENT, VALUE], start_new_session=True)
        try:
            while not any(name == "SECRET" for _, name, _ in watch.variables):
                watch.catch_up()
            # The child's own, and the grandchild's.
            assert {VALUE, f"--token={VALUE}"} <= {text.decode() for _, text in watch.arguments}
            assert places_of((name, text) for _, name, text in watch.variables) == ["SECRET"]
        finally:
            os.killpg(child.pid, 9)
            child.wait()


def test_processes_of_others_are_none_of_our_business() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", LINGERING, VALUE]) as other,
        ProcessWatch(2**22 + 1) as watch,
    ):
        watch.catch_up()
        other.kill()
    assert not watch.arguments


def test_a_file_that_is_gone_again_was_seen(tmp_path: Path) -> None:
    file = tmp_path / "private" / "file"
    with FolderWatch(tmp_path) as watch:
        file.parent.mkdir()
        file.write_text(VALUE)
        watch.catch_up()
        file.write_text("something else")
        watch.catch_up()
        file.unlink()
    assert places_of(watch.streams) == [str(file)]


def test_a_watch_that_failed_does_not_look_as_if_it_had_seen_nothing() -> None:
    class Broken(FolderWatch):
        def look(self) -> None:
            raise OSError("no more files")

    with pytest.raises(AssertionError, match="does not look any more"), Broken():
        pass
    with pytest.raises(AssertionError, match="does not look any more"), Broken() as watch:
        watch.catch_up()
