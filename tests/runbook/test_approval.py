"""When what a step would do now is a part of the approved plan."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runbook import enable_namespace
from runbook.approval import ApprovedPlan
from runbook.changes import Change
from runbook.enable_cluster import purpose
from runbook.enable_namespace import NamespaceRequest
from runbook.errors import PlanMoved
from runbook.hosts import ApiServer
from runbook.names import Cluster
from runbook.objects import Alias, Group, Mount, Role
from runbook.objects.policy import read_policy
from runbook.plan import Plan, changes_of, plan_sha256, to_approve
from runbook.pull_request import plan_of, shows, texts, updated, words
from runbook.request import EnableRequest
from runbook.vault_answers import AliasInVault, GroupInVault
from tests.tables import table

EMBER = Cluster("emea", "ember")
CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"


def request(**changes: Any) -> EnableRequest:
    values: dict[str, Any] = {"cluster": "ember", "env": "emea", "namespaces": ("payments", "web")}
    return EnableRequest.model_validate({**values, **changes})


def approved(*changes: Change) -> ApprovedPlan:
    """A plan after it was stored and read again."""
    plan = Plan(str(EMBER), (), changes)
    stored = json.loads(json.dumps(plan.as_json()))
    assert plan_sha256(stored) == plan.sha256
    return ApprovedPlan(plan.sha256, stored["changes"], None)


def new_role(wanted: EnableRequest, there: Mapping[str, Any] | None = None) -> Change:
    (role,) = wanted.objects_of(Role)
    assert isinstance(role, Role)
    return role.compare_with(there)


def role(**there: Any) -> Change:
    return new_role(request(), there or None)


def group(policies: tuple[str, ...], **metadata: str) -> Change:
    return Group(EMBER).compare_with(GroupInVault("1", EMBER.admin_group, "external", policies, metadata))


def config(*, login_works: bool = True, **there: Any) -> Change:
    wanted = request(adopt=["auth/ember-k8s/config"] if "issuer" in there else [])
    return wanted.config.compare_with(there or None, ApiServer("https://a:6443", CA), login_works=login_works)


CONFIG: dict[str, Any] = {
    "kubernetes_host": "https://a:6443",
    "kubernetes_ca_cert": CA,
    "disable_local_ca_jwt": True,
}
OURS: dict[str, Any] = {
    "alias_name_source": "serviceaccount_uid",
    "bound_service_account_names": ["vault-secret-fetcher"],
    "bound_service_account_namespaces": ["payments", "web"],
    "token_policies": ["emea-kv-r"],
    "token_ttl": 3600,
}
PURPOSE = purpose(request(), {})
NEW_MOUNT = Mount(EMBER).compare_with(None)
NEW_GROUP = Group(EMBER).compare_with(None)
ALIAS = Alias(EMBER).compare_with(None, None, "oidc_1")
THEIRS = AliasInVault("a-9", EMBER.admin_group, "oidc_1")
SOME_GROUP = GroupInVault("9", "people", "external", (), {}, THEIRS)
ORPHAN = GroupInVault("8", "group_f748078c", "external", (), {}, THEIRS)
OUR_GROUP = GroupInVault("1", EMBER.admin_group, "external", ("emea-kv-rw",), {})


@table(
    "planned, now",
    {
        "the same": (NEW_MOUNT, NEW_MOUNT),
        "done by hand": (NEW_MOUNT, Mount(EMBER).compare_with("kubernetes")),
        "made by hand with a field left out": (role(), role(**OURS | {"token_ttl": 0})),
        "made by hand in part": (role(), role(**OURS | {"bound_service_account_namespaces": ["web"]})),
        "somebody added an entry of theirs to a shared list": (
            role(**OURS | {"bound_service_account_namespaces": ["web"]}),
            role(**OURS | {"bound_service_account_namespaces": ["web", "argocd"]}),
        ),
        "the group was made by hand without policy": (NEW_GROUP, group(())),
        "and with policy and metadata of others": (NEW_GROUP, group(("audit",), ticket="1")),
        "the group has an id now": (ALIAS, Alias(EMBER).compare_with(OUR_GROUP, None, "oidc_1")),
        "the reviewer's token ended": (config(**CONFIG), config(**CONFIG, login_works=False)),
        "config written by hand with a default": (
            config(),
            config(**CONFIG | {"disable_local_ca_jwt": False}),
        ),
        "a field of others is carried over": (
            config(**CONFIG | {"kubernetes_host": "https://old"}),
            config(**CONFIG | {"kubernetes_host": "https://old", "issuer": "https://i"}),
        ),
    },
)
def test_less_to_do_than_was_approved_goes_on(planned: Change, now: Change) -> None:
    approved(planned).check([now])


@table(
    "planned, now, words",
    {
        "a value that somebody set would be overwritten": (
            role(),
            role(**OURS | {"token_ttl": 7200}),
            "token_ttl: 7200 → 3600; the plan has token_ttl: nothing → 3600",
        ),
        "another value than was shown would be overwritten": (
            role(**OURS | {"token_ttl": 7200}),
            role(**OURS | {"token_ttl": 60}),
            "token_ttl: 60 → 3600; the plan has token_ttl: 7200 → 3600",
        ),
        "an entry was taken out that the plan found there": (
            role(**OURS),
            role(**OURS | {"bound_service_account_namespaces": ["web"]}),
            "bound_service_account_namespaces: web → web, payments; the plan leaves this field as it was",
        ),
        "one entry more would be added": (
            new_role(request()),
            new_role(request(namespaces=("payments", "web", "new"))),
            "payments, web, new; the plan has bound_service_account_namespaces: nothing → payments, web",
        ),
        "a policy was deleted that the plan found there": (
            read_policy("emea").compare_with(read_policy("emea").text),
            read_policy("emea").compare_with(None),
            "policy/emea-kv-r, which is not there and was when the plan was made",
        ),
        "a config is not seen in which others have a field": (
            config(kubernetes_host="https://old", issuer="https://i"),
            config(),
            "auth/ember-k8s/config, which is not there and was when the plan was made",
        ),
        "the alias would be taken from a group that nobody saw": (
            ALIAS,
            Alias(EMBER, move=True).compare_with(OUR_GROUP, SOME_GROUP, "oidc_1"),
            "canonical_id: people (9) → the group's own id",
        ),
        "the same with an empty group": (
            ALIAS,
            Alias(EMBER).compare_with(OUR_GROUP, ORPHAN, "oidc_1"),
            "canonical_id: group_f748078c (8) → the group's own id",
        ),
        "oidc/ is another one": (
            ALIAS,
            Alias(EMBER).compare_with(OUR_GROUP, None, "oidc_2"),
            "mount_accessor: ",
        ),
        "somebody wrote another host": (
            config(),
            config(**CONFIG | {"kubernetes_host": "https://b"}),
            "kubernetes_host: https://b → https://a:6443",
        ),
        "-": (
            NEW_MOUNT,
            group(()),
            "group/vault-admins-emea, of which the plan says nothing",
        ),
    },
)
def test_anything_else_stops_and_says_what_moved(planned: Change, now: Change, words: str) -> None:
    plan = approved(planned)
    with pytest.raises(PlanMoved) as moved:
        plan.check([now])
    assert words in str(moved.value)
    assert plan.sha256[:12] in str(moved.value)
    assert "A new run makes a new plan" in moved.value.remedy


def test_all_that_moved_is_said_at_once_and_a_certificate_as_its_hash() -> None:
    with pytest.raises(PlanMoved) as moved:
        approved().check([NEW_MOUNT, config()])
    assert "auth/ember-k8s, auth/ember-k8s/config: is not as it was" in str(moved.value)
    plan = approved(config(**CONFIG))
    with pytest.raises(PlanMoved) as moved:
        plan.check([config(**CONFIG | {"kubernetes_ca_cert": "x"})])
    assert "certificate, sha256 " in str(moved.value)
    assert "BEGIN" not in str(moved.value)


def test_the_hash_covers_every_field_and_what_is_stored_gives_the_same_changes() -> None:
    plans = [Plan(str(EMBER), (), (change,)) for change in (role(), role(**OURS), config(), config(**CONFIG))]
    assert len({plan.sha256 for plan in plans}) == len(plans)
    for plan in plans:
        stored = json.loads(json.dumps(plan.as_json()))
        assert (
            plan_sha256({**stored, "changes": [one.as_json() for one in changes_of(stored)]}) == plan.sha256
        )


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
    same, maybe, theirs = (
        Change("a", "same or more", "none", "a", note="also bound: argocd; kept"),
        Change("b", "same", "none", "b", conditional=("token_reviewer_jwt",)),
        Change("c", "foreign", "none", "c", note="adopted as it stands"),
    )
    lines = to_approve([same, NEW_MOUNT, maybe, theirs]).splitlines()[2:]
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
    words_now = purpose(request(), files)
    assert words_now.former == purpose(request(), {}).former
    assert ("operator" in f"{words_now.title}{words_now.what}{words_now.why}".lower()) is installs
    expected = "Enable Vault secrets on" if installs else "Enable External Secrets to the namespace web of"
    assert words_now.title == f"{expected} emea/ember"
    assert (
        f"`policy_scope=env`, {SECRETS_OF} all clusters of `emea`: everything below `k8s_secrets/emea/`."
        in (words_now.what)
    )


def test_the_text_of_a_namespace_says_what_it_may_read_and_one_without_that_counts() -> None:
    wanted = NamespaceRequest(cluster="ember", env="emea", namespaces=("web",), policy_scope="cluster")
    now = enable_namespace.purpose(wanted, OF_WEB)
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
