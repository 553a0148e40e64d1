"""The words of the pull request and of its commit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook.foreign_text import code
from runbook.plan import changes_of, to_approve, vault_section

PLAN_TRAILER = "Enablement-Plan"
"""Trailer of our commits: hash of the plan that was shown."""

_PLAN_LINE = re.compile(r"Plan: `([0-9a-f]{64})`\s*\Z")
_NO_PAGE = "The flow run's page is not known (no UI address is set)."
_PAGE_LINE = re.compile(r"^\[Flow run in Prefect\]\(https?://[^\s()<>`\\$]+\)$", re.MULTILINE)
_ASKED_LINE = re.compile(r"\nAsked for by `[^`<>\\$\n]{1,100}`\.(?=\nPlan: `[0-9a-f]{64}`\Z)")
_HIDES = re.compile(r"<|```|~~~|\$\$")
"""What may keep readers from seeing the text below it as it is: a tag, a comment, a block of code or math."""

_BEGIN = "<!-- what follows is kept up to date by the pipeline -->"
_END = "<!-- what follows is yours -->"


@dataclass(frozen=True, slots=True)
class Words:
    """Title and body of the pull request, message of the commit."""

    title: str
    body: str
    commit_message: str


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a runbook says of its own change, in markdown.

    After a merge the text has to be what is made of the approved plan: a change of these words stops the runs
    that wait, unless ``former`` has the old ones.

    Attributes:
        title: of the pull request and the commit.
        what: the change, in a sentence.
        why: a sentence, too.
        commit: the body of the commit's message, in lines of at most 100 characters.
        former: as an older version said it.
    """

    title: str
    what: str
    why: str
    commit: str
    former: Purpose | None = None


def words(
    purpose: Purpose,
    files: Sequence[str],
    vault_changes: str,
    plan_sha256: str,
    run_url: str | None,
    asked_by: str = "",
) -> Words:
    """Put the pull request into words.

    Args:
        purpose: what the change is for.
        files: paths that it touches.
        vault_changes: markdown of what the run will write to Vault after the merge.
        plan_sha256: hash of the plan.
        run_url: the flow run in Prefect's UI; None where the UI has no address.
        asked_by: who started the run; empty where nobody knows.
    """
    listed = "\n".join(f"- {code(path)}" for path in files)
    run = f"[Flow run in Prefect]({run_url})" if run_url else _NO_PAGE
    who = re.sub(r"[<>\\$]", "?", asked_by)[:100]
    asked = f"Asked for by {code(who)}.\n" if who else ""
    body = f"""\
{_BEGIN}
{purpose.what}

**Why.** {purpose.why}

**Files**

{listed}

**After the merge**, once ArgoCD has synced, the pipeline goes on by itself and writes to Vault:

{vault_changes}

Nothing is written to Vault before this is merged. Close the pull request to refuse.

{run}
{asked}Plan: `{plan_sha256}`
{_END}
"""
    message = f"""\
{purpose.title}

{purpose.commit}

{PLAN_TRAILER}: {plan_sha256}
"""
    return Words(purpose.title, body, message)


def texts(purpose: Purpose, plan: Mapping[str, Any], plan_sha256: str) -> Iterator[str]:
    """The bodies that show a stored plan: as `words` makes them now, and as an older version did."""
    files, changes = [file["path"] for file in plan["files"]], changes_of(plan)
    yield words(purpose, files, to_approve(changes), plan_sha256, None).body
    yield words(purpose.former or purpose, files, vault_section(changes), plan_sha256, None).body


def updated(body: str, wanted: str) -> str | None:
    """The text of a pull request with our part brought up to date, and what people wrote around it.

    What they wrote above it comes below where it may hide it.

    Args:
        body: the text as it is.
        wanted: our part as it has to be.

    Returns:
        None where our marks are gone, or there are more of them: then the text is theirs.
    """
    parts = _around_our_part(body)
    if parts is None:
        return None
    before, _, after = parts
    if _HIDES.search(before):
        before, after = "", f"{after}\n\n{before}"
    return f"{before}{wanted.rstrip()}{after}"


def plan_of(body: str) -> str | None:
    """Hash of the plan that our part of a pull request's text names in its last line, None without one.

    Anybody who may write to the repository can change the text. Whether readers see this plan says `shows`.
    """
    parts = _around_our_part(body)
    found = parts and _PLAN_LINE.search(parts[1])
    return found[1] if found else None


def shows(body: str, wanted: str) -> bool:
    """Whether the text of a pull request shows our part to its readers exactly as it has to be.

    Anything else could hide the plan that is carried out and show another one; markdown has too many ways to
    do that. Only the run whose page it links and who started that may be others, and line ends may differ.

    Args:
        body: the text as it is.
        wanted: the body that `words` makes of the plan.
    """
    parts, ours = _around_our_part(body), _around_our_part(wanted)
    if parts is None or ours is None or _HIDES.search(parts[0]):
        return False
    return _comparable(parts[1]) == _comparable(ours[1])


def _comparable(part: str) -> str:
    lines = "\n".join(line.rstrip() for line in part.replace("\r\n", "\n").split("\n"))
    return _PAGE_LINE.sub(_NO_PAGE, _ASKED_LINE.sub("", lines.strip()), count=1)


def _around_our_part(body: str) -> tuple[str, str, str] | None:
    """What stands before, between and after our marks; None unless each of them is there once."""
    if (body.count(_BEGIN), body.count(_END)) != (1, 1):
        return None
    before, _, rest = body.partition(_BEGIN)
    ours, end, after = rest.partition(_END)
    return (before, ours, after) if end else None
