"""What a pull request's text says, and which plan it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runbook import enable_namespace
from runbook.changes import Change
from runbook.enable_cluster import purpose
from runbook.enable_namespace import NamespaceRequest
from runbook.layout import Layout
from runbook.names import Cluster
from runbook.objects import Mount
from runbook.plan import plan_sha256, to_approve
from runbook.pull_request import plan_of, shows, texts, updated, words
from runbook.request import EnableRequest
from tests.tables import table

REQUEST = EnableRequest(cluster="ember", env="emea", namespaces=("payments", "web"))
PURPOSE = purpose(REQUEST, {}, Layout())
SHOWN, OTHER = "0123456789abcdef" * 4, "f" * 64


TABLE = '| `policy/a` | **is created** |\n\n```hcl\npath "a/<b>" {}\n```'


def text_of(sha256: str) -> str:
    return words(PURPOSE, ["a.yaml"], TABLE, sha256, "http://prefect/runs/flow-run/1").body


def shown(body: str) -> str | None:
    """The plan that a text names, if it is the text that is written for it."""
    sha256 = plan_of(body)
    return sha256 if sha256 and shows(body, text_of(sha256)) else None


def test_the_pull_requests_text_gives_the_hash_back() -> None:
    body = text_of(SHOWN)
    assert shown(body) == shown(body.replace("\n", " \r\n")) == SHOWN
    around = f"Plan: `{OTHER}`\n{body}\n<!--\nPlan: `{OTHER}`\n-->"
    assert shown(around) == SHOWN, "what people write around our part is theirs"
    assert shown(str(updated(around, text_of(OTHER)))) == OTHER
    another_run = words(PURPOSE, ["a.yaml"], TABLE, SHOWN, "https://prefect/runs/flow-run/2").body
    assert shown(another_run) == shown(words(PURPOSE, ["a.yaml"], TABLE, SHOWN, None).body) == SHOWN
    assert f"Enablement-Plan: {SHOWN}" in words(PURPOSE, ["a.yaml"], "", SHOWN, None).commit_message


LINE, ANOTHER = f"Plan: `{SHOWN}`", f"Plan: `{OTHER}`"
MARKS = re.findall(r"<!-- .* -->", text_of(SHOWN))
BROKEN = LINE.replace(" ", "\n")


@pytest.mark.parametrize(
    "instead",
    [
        "no plan",
        "plan " * 200_000,  # a pattern would need minutes
        f"{LINE}\n{LINE}",
        f"{LINE}\n{ANOTHER}",
        f"{LINE}\n<!-- {ANOTHER} -->",
        f"<!--\n{ANOTHER}\n-->\n{LINE}",
        f"<!-- {LINE}\n-->",
        f"<!--\n{LINE}",
        f"```\n{LINE}\n```",
        f"~~~~\n{LINE}",
        f"```\n{ANOTHER}\n```\n{LINE}",
        f"<details>\n{LINE}\n</details>",
        f"    {LINE}",
        f"> {LINE}",
        f"- {ANOTHER}\n{LINE}",
        f"{LINE}\n{MARKS[1]}\n{MARKS[0]}\n{ANOTHER}",
        f"{LINE}\n{MARKS[1]}",
        f'{BROKEN}\n\n[x]: /u "\n{ANOTHER}\n"',
        f'{BROKEN}\n\n[x]: /u "\n{ANOTHER}',
        f"{BROKEN}\n\n![\n{ANOTHER}\n](http://x)",
        f"Pl&#97;n: `{SHOWN}`\n\n[^x]: y\n{ANOTHER}",
        f"Plan: `{SHOWN[:12]}…`\n\n```a`b\n<!--\n```\n{ANOTHER}",
        f"{BROKEN}\n\n<style>\n\n{ANOTHER}",
        f"$$\n{ANOTHER}\n$$",
        ANOTHER[:-1] + "`\u200b",
        "[x](http://x)\n" + LINE,
    ],
)
def test_a_text_that_does_not_show_one_plan_once_names_none(instead: str) -> None:
    assert shown(text_of(SHOWN).replace(LINE, instead)) is None


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("is created", "stays"), ("a.yaml", "b.yaml"), ("http://prefect/", "http://x) [y]("), ("**Why.", "<b>")],
)
def test_every_word_of_our_part_has_to_be_what_is_written_for_the_plan(ours: str, theirs: str) -> None:
    assert shown(text_of(SHOWN).replace(ours, theirs)) is None


@pytest.mark.parametrize("above", ["<style>", "<details>", "<!--", "```", "~~~", "$$"])
def test_what_may_hide_our_part_from_above_is_moved_below_it(above: str) -> None:
    body = f"Mine.\n{BROKEN}\n\n{above}\n{text_of(OTHER)}\nMine, too."
    assert shown(body) is None
    moved = str(updated(body, text_of(OTHER)))
    assert shown(moved) == OTHER
    assert moved.index("Mine, too.") < moved.index(f"Mine.\n{BROKEN}\n\n{above}")


def test_the_text_of_a_run_that_waits_since_an_older_version_counts() -> None:
    kept = json.loads((Path(__file__).parent / "pull_request_of_a_waiting_run.json").read_text())
    plan, body = kept["plan"], kept["body"]
    sha256 = plan_sha256(plan)
    assert plan_of(body) == sha256
    now, then = texts(PURPOSE, plan, sha256)
    assert (shows(body, now), shows(body, then)) == (False, True)


def test_of_what_a_plan_leaves_alone_only_what_is_foreign_or_may_be_written_is_shown() -> None:
    mount = Mount(Cluster("emea", "ember")).compare_with(None)
    same, maybe, theirs = (
        Change("a", "same or more", "none", "a", note="also bound: argocd; kept"),
        Change("b", "same", "none", "b", conditional=("token_reviewer_jwt",)),
        Change("c", "foreign", "none", "c", note="adopted as it stands"),
    )
    lines = to_approve([same, mount, maybe, theirs]).splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == ["auth/ember-k8s", "b", "c"]
    assert to_approve([same]) == "Nothing: everything is as wanted."


def test_who_started_the_run_may_be_another_and_hides_nothing() -> None:
    body = words(PURPOSE, ["a.yaml"], TABLE, SHOWN, None, "ann <a@example.com> `x`").body
    assert "\nAsked for by `ann ?a@example.com? 'x'`.\nPlan: `" in body
    assert shown(body) == SHOWN
    for hidden in ("Asked for by `ann`. <!--", "Asked for by ann.", "Asked for by `ann`.\nAsked for by `b`."):
        assert shown(re.sub("Asked for by .*", hidden, body)) is None
    asked = "Asked for by `ann`.\n"
    assert shown(text_of(SHOWN).replace("**Files**", f"{asked}**Files**")) is None


SECRETS_OF = "workloads with that ServiceAccount can read the secrets of"
FOLDER = "clusters/emea/ember"
LINE_TO = "--- a\n+++ b\n@@ -1 +1,2 @@\n resources:\n+- {}\n"
OF_WEB = {
    f"{FOLDER}/secret-mgmt/web/kustomization.yaml": "--- /dev/null\n+++ b\n+namespace: web\n",
    f"{FOLDER}/secret-mgmt/kustomization.yaml": LINE_TO.format("web"),
    f"{FOLDER}/kustomization.yaml": LINE_TO.format("secret-mgmt/"),
}


@table(
    "files, installs",
    {
        "a namespace": (OF_WEB, False),
        "the bundle, too": (OF_WEB | {f"{FOLDER}/kustomization.yaml": LINE_TO.format("../../eso")}, True),
        "the Application, too": (OF_WEB | {"apps/eso.yaml": "--- a\n+++ b\n+kind: Application\n"}, True),
        "the base": ({f"{FOLDER}/secret-mgmt/base/store.yaml": "--- a\n+++ b\n+kind: SecretStore\n"}, True),
        "nothing that is known": ({}, True),
    },
)
def test_a_change_that_adds_a_namespace_does_not_say_that_it_installs_the_operator(
    files: dict[str, str], installs: bool
) -> None:
    words_now = purpose(REQUEST, files, Layout())
    assert words_now.former == purpose(REQUEST, {}, Layout()).former
    assert ("operator" in f"{words_now.title}{words_now.what}{words_now.why}".lower()) is installs
    expected = "Enable Vault secrets on" if installs else "Enable External Secrets to the namespace web of"
    assert words_now.title == f"{expected} emea/ember"
    assert (
        f"`policy_scope=env`, {SECRETS_OF} all clusters of `emea`: everything below `k8s_secrets/emea/`."
        in (words_now.what)
    )


def test_where_others_install_the_operator_no_text_says_that_we_do() -> None:
    by_us, by_others = (purpose(REQUEST, {}, Layout(operator_bundle=bundle)) for bundle in ("eso", None))
    assert "Installs the" in by_us.what
    assert "Install the" in by_us.commit
    assert by_others.what.startswith("Lets `emea/ember` read its secrets from Vault. With `policy_scope=env`")
    assert by_others.commit.startswith(
        "Add the SecretStore and the ServiceAccounts through which\nthe cluster"
    )
    assert by_others.former is not None
    assert "nstall" not in f"{by_others.title}{by_others.why}{by_others.former.what}"


def test_the_text_of_a_namespace_says_what_it_may_read_and_one_without_that_counts() -> None:
    wanted = NamespaceRequest(cluster="ember", env="emea", namespaces=("web",), policy_scope="cluster")
    now = enable_namespace.purpose(wanted, OF_WEB, Layout())
    assert now.what.endswith(f"{SECRETS_OF} this cluster alone: everything below `k8s_secrets/emea/ember/`.")
    assert now.former is not None
    assert now.former.what == (
        "Gives the namespace `web` of `emea/ember` its `SecretStore` and the ServiceAccount with which that "
        "logs in to Vault."
    )


@pytest.mark.parametrize("body", ["Somebody's own words", LINE, "".join([MARKS[1], LINE, MARKS[0]])])
def test_a_text_without_our_marks_in_their_order_is_theirs(body: str) -> None:
    assert plan_of(body) is None
    assert updated(body, text_of(SHOWN)) is None
