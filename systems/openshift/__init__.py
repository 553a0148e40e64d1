"""The clusters: a typed client for what the pipeline asks OpenShift's API, on the `kubernetes` library.

    with OpenShift(kubeconfig) as cluster:
        cluster.service_account_uid("external-secrets-operator", "eso-vault-auth")

`kubeconfig` reads the login, `transport` speaks HTTP and turns failures into errors, `client` has the
questions, `rights` those on our rights, `stores` those on External Secrets Operator, `fields` reads what
comes back, `reviews` asks as Vault will ask, `answers` are the values that the steps get.
"""

from systems.openshift.answers import (
    ExternalSecretState,
    Infrastructure,
    IssuedToken,
    SecretStoreState,
    TokenReview,
    TokenSecret,
)
from systems.openshift.client import OpenShift
from systems.openshift.reviews import review_with

__all__ = [
    "ExternalSecretState",
    "Infrastructure",
    "IssuedToken",
    "OpenShift",
    "SecretStoreState",
    "TokenReview",
    "TokenSecret",
    "review_with",
]
