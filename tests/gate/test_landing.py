"""The gate: whatever way the change lands, and whatever happens while a run waits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.waiting import BRANCH, OVERLAY, STORE, AtTheGate, Start

pytestmark = pytest.mark.long


def add_metrics(text: str) -> str:
    return text.replace("resources:\n", "resources:\n  - ../../../../base/core/namespaces/metrics\n")


def test_a_merge_opens_it_and_the_page_says_who_merged_what(waiting: AtTheGate) -> None:
    page = waiting.artifact("pull-request")
    url = waiting.pull()["html_url"]
    assert f"waits for [pull request #1]({url})" in page
    assert "- since 20" in page
    assert f"- `{OVERLAY}`" in page
    assert "- `policy/emea-kv-r` **is created**: rules below" in waiting.artifact("plan")
    assert waiting.look().woken == (), "nothing has happened yet"
    waiting.world.merge()
    waiting.go_on()
    merged = waiting.pull()
    page = waiting.artifact("pull-request")
    assert "The change of emea/ember has landed" in page
    assert "- by: reviewer\n" in page
    assert f"- as: `{merged['merge_commit_sha']}`\n" in page


def test_another_pull_request_with_the_same_content_opens_it(waiting: AtTheGate) -> None:
    checkout = waiting.checkout(branch=BRANCH)
    checkout.git("checkout", "--quiet", "-b", "by-hand")
    checkout.git("commit", "--quiet", "--amend", "--reset-author", "--message", "All of it, and by me")
    checkout.git("push", "--quiet", "origin", "by-hand")
    other = {"title": "By hand", "head": "by-hand", "base": "main"}
    number = waiting.world.as_reviewer("POST", "/pulls", json=other).json()["number"]
    waiting.world.as_reviewer("PUT", f"/pulls/{number}/merge", json={"merge_method": "squash"})
    waiting.go_on()
    page = waiting.artifact("pull-request")
    assert "another way than [pull request #1]" in page
    assert "which is open" in page
    head = waiting.checkout().git("rev-parse", "HEAD")
    assert f"- as: `{head}`\n" in page


def test_a_pull_request_closed_because_its_content_landed_by_hand_does_not_end_it(
    waiting: AtTheGate,
) -> None:
    checkout = waiting.checkout(branch=BRANCH)
    checkout.git("commit", "--quiet", "--amend", "--reset-author", "--message", "All of it, and by me")
    checkout.git("push", "--quiet", "origin", "HEAD:main")
    waiting.world.as_reviewer("PATCH", "/pulls/1", json={"state": "closed"})
    checkout.git("push", "--quiet", "origin", "--delete", BRANCH)
    waiting.go_on()
    page = waiting.artifact("pull-request")
    assert "another way than [pull request #1]" in page
    assert "which is closed" in page
    assert f"- as: `{checkout.git('rev-parse', 'HEAD')}`\n" in page
    assert [pull["state"] for pull in waiting.world.pulls()] == ["closed"], "nothing was proposed again"


def test_a_merge_that_was_reverted_does_not_open_it_until_it_lands_again(waiting: AtTheGate) -> None:
    waiting.world.merge()
    waiting.world.revert()
    assert waiting.woken() == "Suspended"
    assert "It was merged, but its change is not there" in waiting.artifact("pull-request")
    assert waiting.look().woken == (), "it has seen that"
    reviewer = waiting.checkout()
    reviewer.git("revert", "--no-edit", "HEAD")
    reviewer.git("push", "--quiet", "origin", "main")
    waiting.go_on()
    page = waiting.artifact("pull-request")
    assert "another way, after [pull request #1]" in page
    assert f"- as: `{reviewer.git('rev-parse', 'HEAD')}`\n" in page
    assert len(waiting.world.pulls()) == 1, "somebody took it back; the run did not propose it again"


def test_a_change_that_was_edited_before_its_merge_does_not_open_it_and_a_new_run_takes_it(
    waiting: AtTheGate, begin: Start
) -> None:
    waiting.push_to_branch(lambda text: text.replace("spec:\n", "spec:\n  refreshInterval: 30\n", 1), STORE)
    assert waiting.woken() == "Suspended"
    waiting.world.merge()
    assert waiting.woken() == "Suspended"
    assert f"`{STORE}`: differs from what was proposed" in waiting.artifact("pull-request")
    # Whoever edited it meant it: a new run finds nothing left to propose, and asks for no merge.
    waiting.world.sync()
    again = begin()
    assert again.rest() == "Completed", again.log()
    assert "logs in at ember-k8s" in again.artifact("report")


def test_a_store_that_was_made_to_lead_elsewhere_before_its_merge_ends_the_run(waiting: AtTheGate) -> None:
    waiting.push_to_branch(lambda text: text.replace("server:", "server: https://elsewhere.example #"), STORE)
    assert waiting.woken() == "Suspended"
    waiting.world.merge()
    assert waiting.woken() == "Failed"
    assert waiting.said("payments, web: server is https://elsewhere.example, not https://"), waiting.log()
    assert waiting.said("a run does not rewrite a SecretStore"), waiting.log()


def test_a_closed_pull_request_ends_it_and_once_reopened_and_merged_a_retry_goes_on(
    waiting: AtTheGate,
) -> None:
    waiting.world.as_reviewer("PATCH", "/pulls/1", json={"state": "closed"})
    assert waiting.woken() == "Failed"
    assert waiting.said("pull request #1: was closed without a merge by reviewer at 20"), waiting.log()
    assert waiting.said("start a new run, which opens a new pull request"), waiting.log()
    waiting.world.as_reviewer("PATCH", "/pulls/1", json={"state": "open"})
    waiting.world.merge()
    waiting.go_on(wake=lambda: waiting.engineer.api.retry(waiting.id))


def test_resume_without_a_merge_only_makes_it_look_each_time(waiting: AtTheGate) -> None:
    description, fields = waiting.form()
    assert waiting.pull()["html_url"] in description
    assert set(fields["properties"]) == {"note", "landed_elsewhere"}
    # An automation, or whoever sends no form, fills nothing in.
    assert all("default" in field for field in fields["properties"].values())
    assert "required" not in fields
    for count in (1, 2):
        answer = {"note": f"go on, {count}", "landed_elsewhere": count == 2}
        assert waiting.rest(partial(waiting.engineer.api.resume, waiting.id, answer)) == "Suspended"
    assert waiting.said("Resumed (said to have landed elsewhere): go on, 2"), waiting.log()
    assert waiting.said("Resumed: go on, 1"), waiting.log()
    again = "Resumed, but the change is not on the base branch; the run waits again."
    assert waiting.said(again, times=2), waiting.log()
    assert waiting.log().count(again) == 2, "each resume is one look"
    assert len(waiting.world.pulls()) == 1
    assert waiting.task_states("write policies") == []


def test_where_the_base_branch_moves_below_it_the_pull_request_is_brought_up_to_date(
    waiting: AtTheGate,
) -> None:
    waiting.push_to_base(lambda text: f"{text}# said by somebody\n", "README.md")
    assert waiting.look().woken == (), "that file is not its concern"
    before = waiting.pull()
    moved = waiting.push_to_base(add_metrics)
    assert waiting.woken() == "Suspended"
    after = waiting.pull()
    assert (after["number"], after["mergeable"]) == (1, True)
    assert after["head"]["sha"] != before["head"]["sha"]
    checkout = waiting.checkout(branch=BRANCH)
    assert checkout.git("rev-parse", "HEAD^") == moved
    proposed = (checkout.folder / OVERLAY).read_text()
    for entry in ("base/core/namespaces/metrics", "bundles/external-secrets-operator"):
        assert f"  - ../../../../{entry}\n" in proposed, "theirs and ours"
    assert waiting.look().woken == ()


def test_commits_of_a_person_are_never_overwritten_and_a_conflict_is_said_once(waiting: AtTheGate) -> None:
    theirs = waiting.push_to_branch(lambda text: f"{text}# checked by Dana\n")
    assert waiting.woken() == "Suspended"
    assert waiting.said("left as it is: it has the change, and"), waiting.log()
    waiting.push_to_base(lambda text: f"{text}# said by somebody else\n")
    assert waiting.woken() == "Suspended"
    assert waiting.pull()["head"]["sha"] == theirs
    assert waiting.pull()["mergeable"] is False
    assert "it conflicts with main" in waiting.artifact("pull-request")
    waiting.push_to_base(lambda text: f"{text}# and once more\n")
    assert waiting.woken() == "Suspended"
    assert waiting.pull()["head"]["sha"] == theirs
    comments = waiting.comments()
    assert len(comments) == 1
    assert "it conflicts with main" in comments[0]
    # Dana puts it right.
    checkout = waiting.checkout(branch=BRANCH)
    checkout.git("merge", "--quiet", "--no-edit", "--strategy-option=theirs", "origin/main")
    checkout.git("push", "--quiet", "origin", f"HEAD:{BRANCH}")
    waiting.world.merge()
    waiting.go_on()


def test_each_trouble_of_a_pull_request_is_said_on_it_once(waiting: AtTheGate) -> None:
    before = (waiting.checkout().folder / OVERLAY).read_text()
    waiting.push_to_branch(lambda _text: f"{before}# without that\n")
    assert waiting.woken() == "Suspended"
    (said,) = waiting.comments()
    assert "lacks the change, and has commits of others" in said
    for times in range(2):
        waiting.push_to_base(lambda text, times=times: f"{text}# somebody else's, {times}\n")  # type: ignore[misc]
        assert waiting.woken() == "Suspended"
        assert len(waiting.comments()) == 2
    assert "it conflicts with main" in waiting.comments()[1]


def test_a_deadline_ends_it_and_says_what_to_do(begin: Start) -> None:
    waiting = begin(merge_timeout="1s")
    if waiting.rest() == "Suspended":  # else it was over when the run first looked
        assert waiting.rest(waiting.look_until_woken) == "Failed"
    assert waiting.said("pull request #1: was not merged within 1s, since 20"), waiting.log()
    assert waiting.said("retry this run, or start a new one with a longer merge_timeout"), waiting.log()


def test_a_second_run_for_the_cluster_shares_the_pull_request_and_another_change_is_refused(
    waiting: AtTheGate, start: Start, begin: Start
) -> None:
    second = start()
    assert second.said(f"The run {waiting.id}"), second.log()
    assert second.said("wants the same change; both wait for one pull request"), second.log()
    third = begin(namespaces=["web"])
    assert third.rest() == "Failed"
    assert third.said(
        f"run {waiting.id}: is in progress for emea/ember with other parameters: namespaces="
    ), third.log()
    assert len(waiting.world.pulls()) == 1
    assert waiting.look().woken == (), "the first was not disturbed"
    waiting.land()
    assert sorted(waiting.look().woken) == ["enable emea/ember", "enable emea/ember"]
    with ThreadPoolExecutor() as pool:
        states = list(pool.map(AtTheGate.rest, [waiting, second]))
    assert states == ["Completed", "Completed"], waiting.log() + second.log()
