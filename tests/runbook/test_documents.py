"""How much is read of one tree: each file may be below the limits, and all together above them."""

from __future__ import annotations

import contextlib

import pytest
import yaml

from runbook.documents import check_size, document_of, documents_of, named, node_of, one_tree
from runbook.errors import Conflict

TOGETHER = "is the largest of files that are too large together"


def small() -> contextlib.AbstractContextManager[None]:
    return one_tree(nodes=250, characters=5_000)


def values(number: int, name: str = "a") -> str:
    """A file of so many values."""
    return f"{name}: [{', '.join((number - 3) * ['x'])}]\n"


@pytest.mark.parametrize("read", [check_size, documents_of, document_of, node_of])
def test_files_that_are_too_large_together_are_a_conflict_that_names_the_largest(read: object) -> None:
    assert callable(read)
    with small():
        for path, size in (("a", 70), ("b", 90), ("c", 80)):
            read(named(path, values(size, path)))
        with pytest.raises(Conflict, match=f"Git, b: {TOGETHER}: they have more than 250 values"):
            read(named("d", values(11)))
        with pytest.raises(Conflict, match="Git, b: "):
            read("of no file: 1")
    read(values(90))


def test_a_file_counts_once_however_often_it_is_read_and_a_copy_of_it_counts_too() -> None:
    text = values(90)
    with small():
        for path in ("a", "b"):
            for _ in range(5):
                assert document_of(named(path, text))
        with pytest.raises(Conflict, match="Git, a: "):
            document_of(named("c", text))


def test_what_is_of_no_file_does_not_count_and_neither_do_other_trees() -> None:
    for _ in range(2):
        with small():
            for number in range(9):
                document_of(values(90, f"of no file {number}"))
            document_of(named("a", values(90)))
            document_of(named("b", values(90, "b")))


@pytest.mark.parametrize("text", [values(80) + "]"])
def test_what_cannot_be_read_counts_as_far_as_it_was(text: str) -> None:
    with small():
        for number in range(3):
            with pytest.raises((yaml.YAMLError, Conflict)):
                check_size(named(f"{number}", f"{text}# {number}\n"))
        with pytest.raises(Conflict, match=TOGETHER):
            check_size(named("d", values(30)))


def test_files_that_have_too_many_characters_together_are_one_before_they_are_parsed() -> None:
    with small():
        named("a", "a" * 1_500)
        for path in ("b", "c", "b"):
            named(path, "b" * 3_000)
        with pytest.raises(Conflict, match=f"Git, b: {TOGETHER}: they have more than 5,000 characters"):
            named("d", "d" * 501)
