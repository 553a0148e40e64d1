"""Text of others in logs and in markdown: nothing of it is acted on."""

from __future__ import annotations

import pickle
import re
import unicodedata

import pytest

from runbook.changes import Change, Difference
from runbook.checks import Check
from runbook.errors import Conflict
from runbook.foreign_text import block, code, markdown, plain, without_list
from runbook.gitops import FileEdit
from runbook.plan import Plan, PlannedFile, plan_sha256
from runbook.pull_request import Purpose, words

EVERY_HIDDEN = "".join(
    chr(sign) for sign in (*range(32), *range(0x7F, 0xA0), 0x61C, 0x200B, 0x200E, 0x2028, 0x2029)
)
BIDI = "".join(
    chr(sign) for sign in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, 0xDCFF, 0xE0041)
)
HOSTILE = (
    "\x1b[31m\x1b]0;pwn\x07![x](http://127.0.0.1:9/leak.png) [Approve here](javascript:alert(1)) "
    "<b>approved</b> <img src=x onerror=y> @org/team # heading "
    "| cell | **bold** ~~gone~~ _it_ $x$ &#106;s `a` ``<i>`` `b"
)


def is_shown(text: str) -> bool:
    return all(sign in "\n\t" or unicodedata.category(sign)[0] not in "CZ" or sign == " " for sign in text)


def test_a_line_of_a_log_is_one_line_of_what_is_shown() -> None:
    assert plain(f"a{EVERY_HIDDEN}b{BIDI}c\r\nd") == "a bc d"
    assert plain("Zoë 管理者 🙂 k8s_secrets/a-b.c (100%)") == "Zoë 管理者 🙂 k8s_secrets/a-b.c (100%)"
    assert plain("a\x1b[2J\nb", keep="\n") == "a[2J\nb"


def test_an_error_and_a_row_are_fit_for_a_log_also_after_a_pickle() -> None:
    error = Conflict("Git", f"branch\n{HOSTILE}", f"by {EVERY_HIDDEN}{BIDI}x.", "Do:\n  a\x1b\n  b")
    for one in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert is_shown("".join((str(one), one.subject, one.answer, one.remedy, *one.args)))
        assert one.remedy == "Do:\n  a\n  b"
        assert "\n" not in one.subject + one.answer
    row = Check("a", "failed", HOSTILE, HOSTILE)
    assert is_shown(row.found + row.remedy)


@pytest.mark.parametrize(
    "text", [HOSTILE, f"`{HOSTILE}", f"`` {HOSTILE} `", HOSTILE[::-1], "# a", "> a", "]([`<b>`](x)"]
)
def test_in_markdown_nothing_is_acted_on_but_code_spans(text: str) -> None:
    made = markdown(text)
    assert is_shown(made)
    # What no backslash makes harmless, outside of the code spans.
    left = re.sub(r"\\.", "", re.sub(r"(?<!\\)`[^`]+`", "", made))
    assert not re.search(r"[*~$\[\]<`]|^[#>]|@\w|&(?!lt;|amp;|#8203;)#?\w+;", left), made
    assert "](" not in re.sub(r"`[^`]+`", "", made)


def test_plain_sentences_of_ours_stay_readable_in_markdown() -> None:
    ours = "reads `k8s_secrets/<env>` at 12:00 UTC (#7), k8s_secrets: 200"
    assert markdown(ours) == ours


def test_a_name_or_a_file_does_not_end_its_code() -> None:
    assert code("a`<b>\nc") == "`a'<b> c`"
    text = "+a\n ```\n+````x\n\x1b[2J![x](y)\t"
    fence, *lines, end = block(text, "diff").split("\n")
    assert (fence, end) == ("`````diff", "`````")
    assert lines == ["+a", " ```", "+````x", "[2J![x](y)"]


def test_the_plan_and_the_pull_request_show_foreign_text_and_keep_the_plans_hash() -> None:
    change = Change(
        f"role/{HOSTILE}", "different", "update", "p", {}, (Difference("f", HOSTILE, ["a"]),), note=HOSTILE
    )
    edit = FileEdit(f"a/{HOSTILE}/x", None, "```\n![x](y)\n")
    plan = Plan("emea/ember", (PlannedFile(edit.path, edit.diff()),), (change,))
    before = plan.as_json()
    assert before["changes"][0]["note"] == HOSTILE, "the hash of plans that wait stands in pull requests"
    assert plan_sha256(before) == plan.sha256
    body = words(
        Purpose("a title", "what", "why", "commit"), [edit.path], plan.markdown(), plan.sha256, None
    ).body
    assert is_shown(body)
    outside = re.sub(r"(?ms)^(````*)\w*$.*?^\1$|(?<!\\)`[^`\n]+`|<!-- .* -->", "", body)
    assert not re.search(r"(?<!\\)!?\[|\]\(|<(?!!)", outside), outside


def test_of_a_list_of_errors_in_go_the_errors_are_left() -> None:
    assert without_list("1 error occurred:\n\t* permission denied\n\n") == "permission denied"
    assert without_list("2 errors occurred:\n\t* no such role\n\t* no such mount\n\n") == (
        "no such role; no such mount"
    )
    assert without_list("failed to write: 1 error occurred:\n\t* a * b\n\n") == "failed to write: a * b"
    assert without_list("path is already in use at x/\n") == "path is already in use at x/"
