"""What kustomize is given to build, what it may read and take, and what it is asked for."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from runbook.documents import named, one_tree
from runbook.errors import Conflict
from runbook.gitops import Built, FileTree
from systems.kustomize import Known, Kustomize, Limits
from tests.runbook.gitops.judging import ACCOUNT


def build(files: dict[str, str], limits: Limits | None = None) -> Built:
    """What becomes of the folder of the first file."""
    with Kustomize(limits) as builder:
        (built,) = builder.build(FileTree(files), next(iter(files)).rpartition("/")[0])
    return built


class OneTree(FileTree):
    """Counts what is read, as a commit does."""

    def read(self, path: str) -> str | None:
        text = super().read(path)
        return text if text is None else named(path, text)


def test_files_that_are_too_large_together_are_not_built() -> None:
    files = {f"x/{name}.yaml": ACCOUNT + f"{name}: [{90 * 'x, '}]\n" for name in ("a", "b", "c")}
    tree = OneTree({**files, "x/kustomization.yaml": "resources: [a.yaml, b.yaml, c.yaml]\n"})
    with Kustomize() as builder, one_tree(nodes=250), pytest.raises(Conflict, match="too large together"):
        builder.build(tree, "x")


def test_what_another_has_built_of_the_same_files_is_not_built_again() -> None:
    files = {"x/kustomization.yaml": "resources: [a.yaml]\n", "x/a.yaml": ACCOUNT}
    known: Known = {}
    with Kustomize(known=known) as first:
        (built,) = first.build(FileTree(files), "x")
    assert built.documents
    # Of these limits nothing can be built.
    with Kustomize(Limits(seconds=0.0), known) as second:
        assert second.build(FileTree(files), "x") == [built]
        (other,) = second.build(FileTree({**files, "x/a.yaml": f"{ACCOUNT}# other\n"}), "x")
    assert other.limited


def test_what_is_known_stays_so_while_others_are_built_beside_it() -> None:
    files = {f"{name}/kustomization.yaml": "resources: [a.yaml]\n" for name in "xyz"}
    tree = FileTree(files | {f"{name}/a.yaml": ACCOUNT for name in "xyz"})
    known: Known = {}
    with Kustomize(known=known) as first:
        (built,) = first.build(tree, "x")
    # So many that what comes next takes their place.
    known |= {(str(number), frozenset()): Built(str(number)) for number in range(49)}
    with Kustomize(known=known) as second:
        assert second.build(tree, "y", "z", "x")[2] == built
    assert built.documents


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that is asked for nothing, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x.yaml", asked
        server.shutdown()


@pytest.mark.parametrize(
    "kustomization",
    [
        "resources: ['{url}']",
        "bases: ['{url}']",
        "components: ['{url}']",
        "patches: [path: '{url}']",
        "patchesStrategicMerge: ['{url}']",
        "crds: ['{url}']",
        "configurations: ['{url}']",
        "openapi: {{path: '{url}'}}",
        "replacements: [path: '{url}']",
        "configMapGenerator: [{{name: a, files: ['b={url}']}}]",
        "configMapGenerator: [{{name: a, envs: ['{url}']}}]",
        "transformers: ['{url}']",
        "transformers: [plugin.yaml]",
        "transformers: [\"apiVersion: builtin\\nkind: PatchTransformer\\npath: '{url}'\\n\"]",
        "resources: [one.yaml]\nresources: ['{url}']",
        "<<: {{resources: ['{url}']}}",
    ],
)
def test_a_build_asks_nobody_on_the_network(kustomization: str, listener: tuple[str, list[str]]) -> None:
    url, asked = listener
    files = {
        "a/kustomization.yaml": kustomization.format(url=url),
        "a/one.yaml": ACCOUNT,
        "a/plugin.yaml": f"apiVersion: builtin\nkind: PatchTransformer\nmetadata: {{name: a}}\npath: {url}\n",
    }
    built = build(files)
    assert asked == []
    assert built.left_out or built.failure


@pytest.mark.parametrize(
    "entry", ["/etc", "/etc/passwd", "../../../../../../../../../../etc", "a/../../../../../../../../../tmp"]
)
def test_a_build_reads_nothing_outside_the_copy(entry: str) -> None:
    for key in ("resources", "components", "configurations", "crds"):
        built = build({"a/kustomization.yaml": f"{key}: ['{entry}']\n"})
        assert "root:" not in "".join(built.documents)
        assert built.left_out or built.failure


class WithLink(FileTree):
    """A tree with something at its top, called ``away``, that is neither a file nor a folder."""

    def entries(self, path: str) -> tuple[str, ...]:
        return super().entries(path) + ("away",) * (not path)


@pytest.mark.parametrize(
    ("kustomization", "behind"),
    [
        ("resources: [a.yaml, ../away]\n", "resources of x: ../away"),
        ("resources: [a.yaml, ../away/deploy]\n", "resources of x: ../away/deploy"),
        ("resources: [a.yaml]\ncomponents: [../away/one/two]\n", "components of x: ../away/one/two"),
        ("resources: [a.yaml]\npatches: [{path: ../away/patch.yaml}]\n", "patches of x: ../away/patch.yaml"),
    ],
)
def test_what_is_behind_a_link_or_a_submodule_is_named_and_the_rest_is_built(
    kustomization: str, behind: str
) -> None:
    tree = WithLink({"x/kustomization.yaml": kustomization, "x/a.yaml": ACCOUNT})
    with Kustomize() as builder:
        (built,) = builder.build(tree, "x")
    assert built.left_out == (f"{behind} is behind a link or a submodule",)
    # Without a patch kustomize builds nothing.
    assert bool(built.failure) == ("patches" in kustomization)
    assert len(built.documents) == (not built.failure)


def test_what_kustomize_says_names_no_folder_of_this_machine() -> None:
    built = build({"x/kustomization.yaml": "resources: [..]\n", "kustomization.yaml": "resources: [x]\n"})
    assert "the top folder" in built.failure
    assert "repository" not in built.failure


def test_a_build_has_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_WORKER", "hvs.worker")
    generator = "configMapGenerator:\n- name: a\n  envs: [all.env]\n  literals: [x=$SECRET_OF_THE_WORKER]\n"
    files = {"a/kustomization.yaml": generator, "a/all.env": "SECRET_OF_THE_WORKER\nHOME\nPATH\n"}
    assert "hvs.worker" not in f"{build(files)}"


CYCLE = {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"}
LARGE = {"a/kustomization.yaml": "resources: [large.yaml]\n", "a/large.yaml": "#" * 3000}
FEW, MANY = (
    {"a/kustomization.yaml": "configMapGenerator:\n" + "".join(f"- name: a{n}\n" for n in range(count))}
    for count in (60, 3000)
)
LONG = {f"{'a' * 300}/kustomization.yaml": "resources: []\n"}


@pytest.mark.parametrize(
    ("files", "limits", "says"),
    [
        pytest.param(CYCLE, Limits(), "cycle", id="cycle"),
        pytest.param(LONG, Limits(), "cannot be copied", id="name"),
        pytest.param(LARGE, Limits(output=2000), "files are larger", id="files"),
        pytest.param(FEW, Limits(output=2000), "printed more than", id="output"),
        pytest.param(MANY, Limits(seconds=0.001), "took longer than 0.001 s", id="time"),
        pytest.param(MANY, Limits(memory=1 << 20), "took more than 1 MB of memory", id="memory"),
    ],
)
def test_a_build_takes_no_more_than_it_may_and_says_what_it_hit(
    files: dict[str, str], limits: Limits, says: str
) -> None:
    built = build(files, limits)
    assert says in built.failure
    assert built.limited is (limits != Limits())


def test_a_folder_that_is_not_there_is_no_failure() -> None:
    with Kustomize() as builder:
        assert builder.build(FileTree({}), "a") == [Built("a", absent=True)]
