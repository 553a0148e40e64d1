"""The one thing that is asked of GraphQL: a commit at the head of a branch, which GitHub makes and signs."""

from __future__ import annotations

import base64
import tempfile
from typing import Annotated, Any

from fastapi import APIRouter, Body

from sandbox.github_api.answers import Json
from sandbox.github_api.api import Caller, framed
from sandbox.github_api.git import committing
from sandbox.github_api.service import Service

_SIGNATURE = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n of the stand-in\n -----END PGP SIGNATURE-----"


def router(service: Service) -> APIRouter:
    """The route; whatever the query says, ``createCommitOnBranch`` is meant."""
    routes = APIRouter(route_class=framed(service))
    git = service.hosting.git

    @routes.post("/api/graphql")
    def graphql(caller: Caller, variables: Annotated[dict[str, Any], Body(embed=True)]) -> Json:
        asked = variables["input"]
        branch, parent, message = asked["branch"], asked["expectedHeadOid"], asked["message"]
        owner, name = branch["repositoryNameWithOwner"].split("/")
        bare = service.hosting.path(service.repository(caller, owner, name, "write"))
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            git.run(bare, "read-tree", parent, **index)
            for file in asked["fileChanges"]["additions"]:
                content = base64.b64decode(file["contents"])
                blob = git.run(bare, "hash-object", "-w", "--stdin", given=content).strip()
                entry = f"100644,{blob},{file['path']}"
                git.run(bare, "update-index", "--add", "--cacheinfo", entry, **index)
            tree = git.run(bare, "write-tree", **index).strip()
        text = f"{message['headline']}\n\n{message['body']}".strip()
        unsigned = git.run(bare, "commit-tree", tree, "-p", parent, "-m", text, **committing(caller)).strip()
        head, blank, said = git.run(bare, "cat-file", "commit", unsigned).partition("\n\n")
        signed = f"{head}\n{_SIGNATURE}{blank}{said}"
        commit = git.run(bare, "hash-object", "-t", "commit", "-w", "--stdin", given=signed).strip()
        git.run(bare, "update-ref", f"refs/heads/{branch['branchName']}", commit, parent)
        return {"data": {"createCommitOnBranch": {"commit": {"oid": commit}}}}

    return routes
