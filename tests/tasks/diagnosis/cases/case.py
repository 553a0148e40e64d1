"""One cause: how to break exactly that, what must be said of it, and the remedy, done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from runbook.conventions import RUNBOOK
from runbook.diagnosis.cause import Cause, Kind
from runbook.diagnosis.claims import claims_of
from tests.tasks.diagnosis.scene import Scene

STARTER = "vault-secret-fetcher"
REVIEWER = "eso-vault-auth"
API = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        break_it: breaks it, and notes in the scene's values what the cause has of it.
        mend: does what the remedy says, after which the login works; None where the remedy is to look for
            something, or to mend what this case cannot mend.
        fields: of the cause; in braces the scene's values, ``api`` its API server, ``now`` the time at the
            end of the line.
    """

    cause: Kind
    break_it: Callable[[Scene], object]
    mend: Callable[[Scene], object] | None
    fields: Mapping[str, str]

    def expected(self, found: Cause, scene: Scene) -> Cause:
        """The cause that is to be found."""
        operator = RUNBOOK.operator
        values = {"now": found.line[-19:], "api": scene.api.url, "operator": operator, **scene.values}
        fields = {name: text.format(**values) for name, text in self.fields.items()}
        return self.cause.of(operator=operator, **fields)


def case(
    cause: Kind,
    break_it: Callable[[Scene], object],
    mend: Callable[[Scene], object] | None = None,
    /,
    **fields: str,
) -> Case:
    """A case, a line or two of a table."""
    return Case(cause, break_it, mend, fields)


def change_role(**fields: Any) -> Callable[[Scene], None]:
    """An administrator of Vault changes these fields of the role."""
    return lambda scene: scene.change_role(**fields)


def jwt_of(scene: Scene, namespace: str, name: str, **changes: object) -> str:
    options = {"lifetime": 3600, **changes}
    return scene.api.sign_token(namespace, name, **options)  # type: ignore[arg-type]


def noted(scene: Scene, token: str) -> str:
    """The token, whose end the expected line has."""
    claims = claims_of(SecretStr(token))
    assert claims
    assert claims.expires
    scene.values["ended"] = f"{claims.expires:%Y-%m-%d %H:%M:%S}"
    return token
