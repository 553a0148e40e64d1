"""One cause: how to break exactly that, the line that must be said, and the remedy, done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from runbook.diagnosis import Cause
from runbook.diagnosis.claims import claims_of
from tests.kubernetes_objects import ESO
from tests.tasks.diagnosis.scene import Scene

STARTER = "vault-secret-fetcher"
REVIEWER = "eso-vault-auth"
SECRET = f"Secret {ESO}/eso-vault-auth-token"
API = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        break_it: breaks it, and notes in the scene's values what the line has of it.
        line: of the cause, with the scene's values and the cause (``found``) in braces.
        mend: does what the remedy says, after which the login works; None where the remedy is to look for
            something, or to mend what this case cannot mend.
    """

    name: str
    cause: type[Cause]
    break_it: Callable[[Scene], object]
    line: str
    mend: Callable[[Scene], object] | None = None


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
