"""TokenReview: asking a cluster whether it believes a token, with the reviewer's credentials.

Nobody checks Vault's configuration of the auth method when it is written: a garbage reviewer JWT, a CA that
is no PEM or a dead host are accepted, and a login afterwards may still pass over a pooled connection with the
old CA. `review_with` makes the very request that Vault will make, over a connection of its own.
"""

from __future__ import annotations

from contextlib import closing

from pydantic import SecretStr

from runbook.addresses import check_address
from runbook.errors import AccessDenied, NotAuthenticated
from systems.openshift.answers import TokenReview
from systems.openshift.fields import mapping, text
from systems.openshift.kubeconfig import Login
from systems.openshift.transport import SYSTEM, Api


def review_with(
    host: str,
    ca_pem: str | None,
    reviewer_jwt: SecretStr,
    token: SecretStr,
    timeout: float = 10,
    *,
    proxy: str = "",
) -> TokenReview:
    """Review ``token`` as Vault will: at ``host``, trusting ``ca_pem`` alone, with the reviewer's JWT.

    Args:
        proxy: see `Login`.

    Raises:
        InvalidInput: ``host`` is no https URL, ``ca_pem`` no PEM, or the JWT is none.
        AccessDenied: the reviewer's JWT is not believed (401), or may not create TokenReviews (403).
        CertificateNotTrusted, Unreachable, Busy, UnexpectedAnswer: see `Api.ask`.
    """
    login = Login(
        host=check_address(host, "host for Vault").rstrip("/"),
        ca_pem=ca_pem,
        token=SecretStr(reviewer_jwt.get_secret_value().strip()),  # as Vault does
        proxy=proxy,
    )
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    with closing(Api(login, timeout, "the connection")) as api:
        try:
            status = mapping(api.ask("TokenReview", path, body={"spec": {"token": token}}), "status")
        except AccessDenied as error:
            remedy = (
                "It has expired, or its ServiceAccount or Secret was deleted or recreated: make a new one."
                if isinstance(error, NotAuthenticated)
                else "Bind its ServiceAccount to the ClusterRole system:auth-delegator."
            )
            subject = f"TokenReview at {host} with the reviewer's token"
            raise type(error)(SYSTEM, subject, error.answer, remedy) from None
        # The API server leaves it out where it is false.
        authenticated = status.get("authenticated", False)
        if not status or not isinstance(authenticated, bool):
            raise api.unexpected("TokenReview", "the answer has no verdict")
    return TokenReview(authenticated, text(status, "user", "username"), text(status, "error"))
