"""TokenReview: asking a cluster whether it believes a token, with the reviewer's credentials.

Nobody checks Vault's configuration of the auth method when it is written: a garbage reviewer JWT, a CA that
is no PEM or a dead host are accepted, and a login afterwards may still pass over a pooled connection with the
old CA. `review_with` makes the very request that Vault will make, over a connection of its own.
"""

from __future__ import annotations

from kubernetes import client as models
from pydantic import SecretStr

from runbook.errors import AccessDenied
from systems.openshift.answers import TokenReview
from systems.openshift.kubeconfig import Login, check_server
from systems.openshift.transport import SYSTEM, Api


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
    def call() -> models.V1TokenReview:
        # Made here, so that no traceback of the error that the caller gets has the token in clear.
        body = models.V1TokenReview(spec=models.V1TokenReviewSpec(token=token.get_secret_value()))
        return models.AuthenticationV1Api(api.client).create_token_review(body)

    answer = api.ask("TokenReview", call)
    status = answer.status
    user = status.user if status else None
    return TokenReview(
        authenticated=bool(status and status.authenticated),
        username=(user.username or "") if user else "",
        error=(status.error or "") if status else "",
    )
