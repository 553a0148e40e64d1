"""TokenReview: asking a cluster whether it believes a token, with the reviewer's credentials.

Nobody checks Vault's configuration of the auth method when it is written: a garbage reviewer JWT, a CA that
is no PEM or a dead host are accepted, and a login afterwards may still pass over a pooled connection with the
old CA. `review_with` makes the very request that Vault will make, over a connection of its own.
"""

from __future__ import annotations

from pydantic import SecretStr

from runbook.errors import AccessDenied, UnexpectedAnswer
from systems.openshift.answers import TokenReview
from systems.openshift.fields import mapping, text
from systems.openshift.kubeconfig import Login, check_server
from systems.openshift.transport import SYSTEM, Api, path_of


def review_with(
    host: str,
    ca_pem: str | None,
    reviewer_jwt: SecretStr,
    token: SecretStr,
    timeout: float = 10,
) -> TokenReview:
    """Review ``token`` as Vault will: at ``host``, trusting ``ca_pem`` alone, with the reviewer's JWT.

    Raises:
        InvalidInput: ``host`` is no https URL, or ``ca_pem`` no PEM.
        AccessDenied: the reviewer's JWT is not believed (401), or may not create TokenReviews (403).
        CertificateNotTrusted, Unreachable, Busy, UnexpectedAnswer: see `Api.ask`.
    """
    login = Login(
        host=check_server(host, "host for Vault"),
        ca_pem=ca_pem,
        token=SecretStr(reviewer_jwt.get_secret_value().strip()),
    )
    api = Api(login, timeout)
    try:
        return _review(api, token)
    except AccessDenied as error:
        if error.answer.startswith("401"):
            remedy = (
                "It has expired, or its ServiceAccount or Secret was deleted or recreated: make a new one."
            )
        else:
            remedy = "Bind its ServiceAccount to the ClusterRole system:auth-delegator."
        raise AccessDenied(
            SYSTEM, f"TokenReview at {host} with the reviewer's token", error.answer, remedy
        ) from None
    finally:
        api.close()


def _review(api: Api, token: SecretStr) -> TokenReview:
    answer = api.ask(
        "TokenReview",
        "POST",
        path_of("apis", "authentication.k8s.io", "v1", "tokenreviews"),
        body={"spec": {"token": token}},
    )
    status = mapping(answer, "status")
    # The API server leaves it out where it is false.
    authenticated = status.get("authenticated", False)
    if not status or not isinstance(authenticated, bool):
        raise UnexpectedAnswer(SYSTEM, "TokenReview", "the answer holds no verdict", "Check the address.")
    return TokenReview(
        authenticated=authenticated,
        username=text(mapping(status, "user"), "username"),
        error=text(status, "error"),
    )
