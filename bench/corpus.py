"""Proves the edits of an onboarding on a real GitOps repository, given by its path.

    python -m bench.corpus PATH
    python -m bench.corpus PATH --cluster emea/jerry --namespaces openshift-config openshift-ingress

Without a cluster: an entry is inserted into every kustomization file, which must come back with one more line
and otherwise equal. With a cluster: its onboarding is removed in a clone, made again, and both are rendered
with `kubectl kustomize` and compared. The repository at PATH is only read. Ends with 1 if something differs
that may not.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runbook.conventions import RUNBOOK
from runbook.errors import EnablementError
from runbook.gitops import FileEdit, FileTree, StoreSettings, wanted_edits
from runbook.gitops.tree import kustomization_of
from runbook.kustomization import FILE_NAMES, entries_of, insert_resource, normalised
from runbook.layout import Layout
from runbook.names import Cluster
from runbook.request import EnableRequest

TOOLS = Path(sysconfig.get_path("scripts"))
ENTRIES = ("../../../../bundles/external-secrets-operator", "secret-mgmt", "external-secrets.yaml")

OPERATORS_OWN = "an object of the operators' own"

Key = tuple[str, str, str]


def main() -> int:
    """Run what the arguments ask for; the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="a checkout of the repository")
    parser.add_argument("--cluster", help="<env>/<cluster> whose onboarding is made again")
    parser.add_argument("--namespaces", nargs="+", help="its namespaces; all that it has if not given")
    parser.add_argument(
        "--lint", default="yamllint-config.yaml", help="yamllint's configuration, in the repository"
    )
    options = parser.parse_args()
    if options.cluster is None:
        return insert_everywhere(options.path)
    cluster = Cluster(*options.cluster.split("/"))
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        copy = Path(folder) / "repository"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", options.path, copy], check=True)
        return enable_again(copy, cluster, options.namespaces, copy / options.lint)


def insert_everywhere(root: Path) -> int:
    """Insert into every kustomization file of ``root``."""
    outcomes: Counter[str] = Counter()
    files = [path for path in sorted(root.rglob("*")) if path.name in FILE_NAMES and ".git" not in path.parts]
    for path in files:
        before = path.read_bytes().decode()
        known = {normalised(entry) for entry in entries_of(before)}
        for entry in ENTRIES:
            if entry in known:
                outcomes["has the entry already"] += 1
                continue
            try:
                after = insert_resource(before, entry, str(path))
            except EnablementError as error:
                outcomes["FAILED"] += 1
                print(f"FAILED  {error}")
                continue
            outcomes[_outcome(before, after, entry)] += 1
    print(f"{len(files)} kustomization files, {len(ENTRIES)} entries")
    for outcome, count in outcomes.most_common():
        print(f"{count:6}  {outcome}")
    return 1 if any(outcome.isupper() for outcome in outcomes) else 0


def _outcome(before: str, after: str, entry: str) -> str:
    # An empty list in brackets becomes one of lines.
    old, new = before.replace("resources: []", "resources:").splitlines(), after.splitlines()
    added = [line for line in new if new.count(line) > old.count(line)]
    rest = list(new)
    for line in added:
        rest.remove(line)
    parsed_old, parsed_new = yaml.safe_load(before), yaml.safe_load(after)
    parsed_new["resources"].remove(entry)
    if rest != old or parsed_new != {**parsed_old, "resources": parsed_old.get("resources") or []}:
        return "DIFFERS"
    first_of_its_list = "" if parsed_old.get("resources") else ", the file had no resources"
    return f"{len(added)} line{'s' * (len(added) > 1)} added, parses equal otherwise{first_of_its_list}"


def load(root: Path) -> FileTree:
    """The files below ``root`` that can be read as text."""
    files = [
        path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts
    ]
    texts = {
        str(path.relative_to(root)): path.read_bytes().decode("utf-8", "surrogateescape") for path in files
    }
    return FileTree(texts)


def _request(cluster: Cluster, namespaces: list[str]) -> EnableRequest:
    return EnableRequest(
        env=cluster.env, cluster=cluster.name, namespaces=tuple(namespaces), cluster_connection=cluster.name
    )


def enable_again(root: Path, cluster: Cluster, namespaces: list[str] | None, lint: Path) -> int:
    """Remove the onboarding of ``cluster`` in ``root``, make it again, compare."""
    layout = Layout()
    original = load(root)
    folder = layout.secret_management_of(cluster)
    kept = kustomization_of(original, folder)
    names = namespaces or [Path(path).name for path in (kept.members if kept else ())]
    targets = _targets(cluster, names, layout)
    before = {target: _render(root / target) for target in targets}

    _remove(root, cluster, layout)
    removed = load(root)
    store = StoreSettings("https://vault.example.com:8200", "CA of the bench\n", ())
    edits = wanted_edits(removed, _request(cluster, names), layout, store)
    for edit in edits:
        (root / edit.path).parent.mkdir(parents=True, exist_ok=True)
        (root / edit.path).write_bytes(edit.after.encode())

    faults = list(_not_just_added(edits)) + list(_lint(root, edits, lint))
    print(f"{cluster}: {len(edits)} files, of which {sum(edit.before is None for edit in edits)} new")
    for edit in edits:
        if edit.before is not None:
            print(edit.diff(), end="")
    for target in targets:
        own = kustomization_of(original, target)
        patched = own is not None and "patches" in own.text
        faults += _compare(target, before[target], _render(root / target), patched=patched)
    leftovers = wanted_edits(load(root), _request(cluster, names), layout, store)
    faults += [f"a second run would edit {edit.path}" for edit in leftovers]
    for fault in faults:
        print(f"FAULT   {fault}")
    print("no fault" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


def _targets(cluster: Cluster, namespaces: list[str], layout: Layout) -> list[str]:
    secret_management = layout.secret_management_of(cluster)
    return [
        layout.cluster_overlay_of(cluster),
        f"{layout.operator_overlay_of(cluster)}",
        f"{layout.applications_of(cluster)}",
        f"{secret_management}/base",
        *(f"{secret_management}/{namespace}" for namespace in namespaces),
    ]


def _remove(root: Path, cluster: Cluster, layout: Layout) -> None:
    """Take the onboarding out of the files, line by line, as a revert would."""
    overlay, group = layout.cluster_overlay_of(cluster), f"{layout.application_group_of(cluster)}"
    for folder in (f"{layout.operator_overlay_of(cluster)}", layout.secret_management_of(cluster)):
        shutil.rmtree(root / folder)
    (root / group / "external-secrets.yaml").unlink()
    for folder, gone in (
        (overlay, {f"{layout.operator_bundle}".rpartition("/")[2], layout.secret_management}),
        (group, {"external-secrets.yaml"}),
    ):
        file = root / folder / "kustomization.yaml"
        lines = file.read_text().splitlines(keepends=True)
        rest = [
            line
            for line in lines
            if line.strip().rstrip("/").rpartition("/")[2].removeprefix("- ") not in gone
        ]
        file.write_text("".join(rest))


def _render(folder: Path) -> dict[Key, dict[str, Any]] | str:
    """Objects by kind, namespace and name; or what kubectl says if it cannot."""
    done = subprocess.run(
        [TOOLS / "kubectl", "kustomize", folder],
        capture_output=True,
        check=False,
        text=True,
        env={"PATH": ""},
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:160]
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]
    return {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item
        for item in objects
    }


def _compare(
    target: str,
    before: dict[Key, dict[str, Any]] | str,
    after: dict[Key, dict[str, Any]] | str,
    *,
    patched: bool,
) -> Iterator[str]:
    """Print how often each allowed difference occurs and the rest in full; yield what is not allowed."""
    if isinstance(before, str) or isinstance(after, str):
        print(f"not comparable  {target}: {before if isinstance(before, str) else after}")
        if not isinstance(before, str):
            yield f"{target} was built before, and is not now"
        return
    counts: Counter[str] = Counter()
    for key in sorted(before.keys() | after.keys()):
        for difference in _differences(before.get(key), after.get(key)):
            shown = f"{'/'.join(filter(None, key))}: {difference.path or 'the object'} "
            shown += f"{difference.before!r} -> {str(difference.after)[:60]!r}"
            allowed = _allowed(key, difference)
            if allowed is None and patched:
                print(f"  the operators' own patch: {shown}")
            elif allowed is None:
                yield f"{target}: {shown}"
            else:
                counts[allowed] += 1
                if allowed == OPERATORS_OWN:
                    print(f"  {allowed}: {shown}")
    allowances = ", ".join(f"{count} x {allowed}" for allowed, count in counts.items())
    print(f"{len(before):4} -> {len(after):3} objects  {target}: {allowances or 'equal'}")


@dataclass(frozen=True)
class Difference:
    """One value that is not the same."""

    path: str
    before: Any
    after: Any


def _differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
        return
    yield Difference(path, before, after)


def _allowed(key: Key, difference: Difference) -> str | None:
    kind, _, name = key
    if (kind, name) == ("Secret", RUNBOOK.operator.reviewer_token) and difference.before is None:
        return "token Secret"
    if difference.path == "" and difference.after is None:
        return OPERATORS_OWN
    if kind != "SecretStore":
        return None
    return {
        "spec.provider.vault.server": "Vault's server",
        "spec.provider.vault.caBundle": "Vault's CA",
        "apiVersion": "API version",
        "metadata.annotations": "sync-options",
    }.get(difference.path)


def _not_just_added(edits: tuple[FileEdit, ...]) -> Iterator[str]:
    for edit in edits:
        lines = edit.diff().splitlines()[2:]
        if edit.before is not None and any(line.startswith("-") for line in lines):
            yield f"{edit.path} has lost or changed lines"


def _lint(root: Path, edits: tuple[FileEdit, ...], configuration: Path) -> Iterator[str]:
    command: list[str | Path] = [
        TOOLS / "yamllint",
        "--strict",
        "-c",
        configuration,
        *(root / edit.path for edit in edits),
    ]
    done = subprocess.run(command, capture_output=True, check=False, text=True, cwd=root)
    if done.returncode:
        yield f"yamllint: {done.stdout}{done.stderr}"


if __name__ == "__main__":
    sys.exit(main())
