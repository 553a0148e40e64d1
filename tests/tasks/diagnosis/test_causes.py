"""Each cause: exactly that is broken, on a real Vault, and exactly that line is said."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from deployments.sandbox.certificates import CertificateAuthority
from runbook.diagnosis import (
    AddressNotAllowed,
    AudienceNotInToken,
    CaDidNotSign,
    CaNotPem,
    Cause,
    CertificateOutOfDate,
    ClientTokenExpired,
    ClientTokenRefused,
    ConfigNeverWritten,
    HostHangs,
    HostNotInCertificate,
    HostOfAnotherCluster,
    HostSpeaksNoTls,
    HostUnreachable,
    HostWithoutScheme,
    MountMissing,
    MountOfAnotherType,
    NameNotBound,
    NamespaceMissing,
    NamespaceNotBound,
    PolicyLacksRule,
    PolicyMissing,
    PolicyNotHandedOut,
    ReviewerJwtNotSet,
    ReviewerMayNotReview,
    ReviewerMissing,
    ReviewerSecretEmpty,
    ReviewerSecretMissing,
    ReviewerTokenExpired,
    ReviewerTokenGarbage,
    ReviewerTokenOfAnotherCluster,
    ReviewerTokenOfFormerAccount,
    ReviewerTokenOfSomebodyElse,
    ReviewerTokenOfWrongAudience,
    ReviewerTokenRefused,
    ReviewerTokenStillBase64,
    RoleMissing,
    SecretsMountMissing,
    SessionReadsTooMuch,
    StarterMissing,
    StarterRemade,
)
from runbook.diagnosis.claims import claims_of
from tests.kubernetes_objects import ESO
from tests.tasks.conftest import request
from tests.tasks.diagnosis.scene import CONFIG, MOUNT, POLICY, ROLE, Scene

pytestmark = pytest.mark.long

STARTER = "vault-secret-fetcher"
REVIEWER = "eso-vault-auth"
SECRET = f"Secret {ESO}/eso-vault-auth-token"
OWN = "k8s_secrets/data/emea/ember/enablement-probe"
API = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class Case:
    """How to break it; the cause that must be found; and its line, with the scene's values in braces."""

    name: str
    cause: type[Cause]
    break_it: Callable[[Scene], object]
    line: str


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


def host(scene: Scene, url: str) -> None:
    scene.values["host"] = url
    scene.change_config(kubernetes_host=url)


def no_mount(scene: Scene) -> None:
    scene.delete(f"sys/auth/{MOUNT}")


def mount_of_another_type(scene: Scene) -> None:
    no_mount(scene)
    scene.admin.write(f"sys/auth/{MOUNT}", {"type": "approle"})


def config_never_written(scene: Scene) -> None:
    role = dict(scene.admin.role(MOUNT, "emea-ops") or {})
    no_mount(scene)
    scene.admin.write(f"sys/auth/{MOUNT}", {"type": "kubernetes"})
    kept = ("bound_service_account_names", "bound_service_account_namespaces", "token_policies")
    scene.admin.write(ROLE, {key: role[key] for key in kept})


def role_under_another_name(scene: Scene) -> None:
    role = {"bound_service_account_names": ["app"], "bound_service_account_namespaces": ["payments"]}
    scene.admin.write(f"auth/{MOUNT}/role/EMEA-Operators", role)
    scene.delete(ROLE)


def expired_client_token(scene: Scene) -> None:
    old = noted(scene, jwt_of(scene, "payments", STARTER, lifetime=-600))
    scene.token_of = lambda _namespace: SecretStr(old)
    scene.wanted = request(namespaces=("payments",))


def starter_remade(scene: Scene) -> None:
    old = {name: jwt_of(scene, name, STARTER) for name in ("payments", "web")}
    scene.token_of = lambda namespace: SecretStr(old[namespace])
    scene.remake_account("payments", STARTER)


def hanging_host(scene: Scene) -> None:
    scene.patience = 1
    # Vault itself hangs for 10 s at each login.
    scene.wanted = request(namespaces=("payments",))
    host(scene, scene.silent_server())


def certified(
    scene: Scene, names: tuple[str, ...], lifetime: datetime.timedelta = datetime.timedelta(days=1)
) -> None:
    authority = CertificateAuthority("ember's own")
    scene.values["ends"] = f"{datetime.datetime.now(datetime.UTC) + lifetime:%Y-%m-%d %H:%M}"
    scene.values["host"] = scene.tls_server(authority.issue("api", names, lifetime=lifetime))
    scene.change_config(kubernetes_host=scene.values["host"], kubernetes_ca_cert=authority.pem)


def another_host(scene: Scene) -> None:
    other = scene.another_cluster()
    scene.values["host"] = other.url
    scene.values["ours"] = scene.api.url
    scene.change_config(kubernetes_host=other.url, kubernetes_ca_cert=other.ca_pem)


def dead_reviewer_and_secret(token: Callable[[Scene], str]) -> Callable[[Scene], None]:
    """The Secret holds a bad token, and Vault has that very one."""

    def break_it(scene: Scene) -> None:
        bad = token(scene)
        scene.put_in_secret(bad)
        scene.change_config(token_reviewer_jwt=bad)

    return break_it


def token_of_former_reviewer(scene: Scene) -> str:
    old = jwt_of(scene, ESO, REVIEWER)
    scene.remake_account(ESO, REVIEWER)
    return old


def secret_not_filled(scene: Scene) -> None:
    """The controller that fills token Secrets is down; the old token has died with the old Secret."""
    scene.elsewhere.enter_context(scene.api.without_controllers())
    scene.remake_secret({})


def otherwise_signed(token: str) -> str:
    """The same claims with a signature that does not fit them."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def refused_client_token(scene: Scene) -> None:
    """As where the API servers of one cluster do not have the same keys: issued here, not believed there."""
    scene.token_of = lambda namespace: SecretStr(otherwise_signed(jwt_of(scene, namespace, STARTER)))


def too_much(scene: Scene) -> None:
    scene.admin.write(POLICY, {"policy": 'path "k8s_secrets/data/*" { capabilities = ["read"] }'})


def no_reviewer_jwt(scene: Scene) -> None:
    config = dict(scene.admin.kubernetes_config(MOUNT) or {})
    scene.admin.write(
        CONFIG,
        {key: config[key] for key in ("kubernetes_host", "kubernetes_ca_cert")}
        | {"disable_local_ca_jwt": True},
    )


IN_VAULT = [
    Case("the mount is missing", MountMissing, no_mount, "Vault, auth/ember-k8s: is not enabled"),
    Case(
        "the mount is of another type",
        MountOfAnotherType,
        mount_of_another_type,
        "Vault, auth/ember-k8s: is an auth method of type approle, not kubernetes",
    ),
    Case(
        "the config was never written",
        ConfigNeverWritten,
        config_never_written,
        "Vault, auth/ember-k8s/config: was never written",
    ),
    Case(
        "the role is missing",
        RoleMissing,
        lambda scene: scene.delete(ROLE),
        f"Vault, {ROLE}: is not there; roles of this mount: not known to us",
    ),
    Case(
        "the ServiceAccount's name is not bound",
        NameNotBound,
        lambda scene: scene.change_role(bound_service_account_names=["billing"]),
        f"Vault, {ROLE}: does not bind the ServiceAccount name {STARTER}; bound are: billing",
    ),
    Case(
        "the bound name differs in case",
        NameNotBound,
        lambda scene: scene.change_role(bound_service_account_names=["Vault-Secret-Fetcher"]),
        f"Vault, {ROLE}: does not bind the ServiceAccount name {STARTER}; bound are: Vault-Secret-Fetcher "
        "(Vault-Secret-Fetcher differs in case, which counts)",
    ),
    Case(
        "the namespace is not bound",
        NamespaceNotBound,
        lambda scene: scene.change_role(bound_service_account_namespaces=["payments"]),
        f"Vault, {ROLE}: does not bind the namespace web; bound are: payments",
    ),
    Case(
        "the role demands an audience",
        AudienceNotInToken,
        lambda scene: scene.change_role(audience="vault"),
        f"Vault, {ROLE}: demands the audience 'vault'; the client's token is for {API}",
    ),
    Case(
        "the role is bound to other addresses",
        AddressNotAllowed,
        lambda scene: scene.change_role(token_bound_cidrs=["192.0.2.0/24"]),
        f"Vault, {ROLE}: accepts logins only from 192.0.2.0/24 (token_bound_cidrs); from here they come "
        "from 127.0.0.1, unless something on the way translates it",
    ),
    Case(
        "the config holds no reviewer JWT",
        ReviewerJwtNotSet,
        no_reviewer_jwt,
        "Vault, auth/ember-k8s/config: holds no reviewer JWT, so Vault reviews each token with that token "
        "itself",
    ),
]

IN_THE_SESSION = [
    Case(
        "the policy of the role is missing",
        PolicyMissing,
        lambda scene: scene.delete(POLICY),
        "Vault, policy emea-kv-r: does not exist; the role hands it out all the same, and it grants nothing",
    ),
    Case(
        "the policy is there without our rule",
        PolicyLacksRule,
        lambda scene: scene.admin.write(POLICY, {"policy": 'path "billing/*" { capabilities = ["read"] }'}),
        f"Vault, policy emea-kv-r: does not let a session read {OWN}",
    ),
    Case(
        "the role hands out another policy",
        PolicyNotHandedOut,
        lambda scene: scene.change_role(token_policies=["billing"]),
        f"Vault, {ROLE}: hands out billing, not emea-kv-r",
    ),
    Case(
        "the role hands out no policy",
        PolicyNotHandedOut,
        lambda scene: scene.change_role(token_policies=[]),
        f"Vault, {ROLE}: hands out no policy, not emea-kv-r",
    ),
    Case(
        "the session may read too much",
        SessionReadsTooMuch,
        too_much,
        f"Vault, session of payments/{STARTER}: may read k8s_secrets/data/not-emea/enablement-probe, which "
        "must not be allowed; its policies: default, emea-kv-r",
    ),
    Case(
        "the secrets engine is missing",
        SecretsMountMissing,
        lambda scene: scene.delete("sys/mounts/k8s_secrets"),
        "Vault, k8s_secrets/: is not enabled, so there is nothing to read",
    ),
]

ON_THE_WAY = [
    Case(
        "the host has no scheme",
        HostWithoutScheme,
        lambda scene: host(scene, scene.api.url.removeprefix("https://")),
        "Vault, auth/ember-k8s/config: has kubernetes_host={host}, which is not https://host[:port]",
    ),
    Case(
        "the host's port is closed",
        HostUnreachable,
        lambda scene: host(scene, scene.closed_port()),
        "OpenShift, {host}: kubernetes_host of Vault's config does not answer from here (connection refused)",
    ),
    Case(
        "the host hangs",
        HostHangs,
        hanging_host,
        "OpenShift, {host}: kubernetes_host of Vault's config hangs: from here no TLS answer in 1 s",
    ),
    Case(
        "the host speaks no TLS",
        HostSpeaksNoTls,
        lambda scene: host(scene, scene.plain_server()),
        "OpenShift, {host}: kubernetes_host of Vault's config leads, from here, to something that does not "
        "speak TLS",
    ),
    Case(
        "the host is not in its certificate",
        HostNotInCertificate,
        lambda scene: certified(scene, ("api.ember.example.com", "10.0.0.1")),
        "OpenShift, {host}: kubernetes_host of Vault's config is not in the API server's certificate, which "
        "is for api.ember.example.com, 10.0.0.1",
    ),
    Case(
        "the API server's certificate has expired",
        CertificateOutOfDate,
        lambda scene: certified(scene, ("127.0.0.1",), datetime.timedelta(days=-1)),
        "OpenShift, {host}: the API server's certificate is not valid now (dates: a certificate of the chain "
        "has expired; the server's own ends on {ends} UTC)",
    ),
    Case(
        "the CA is another one",
        CaDidNotSign,
        lambda scene: scene.change_config(kubernetes_ca_cert=CertificateAuthority("another").pem),
        "OpenShift, {api}: the certificate seen from here was not signed by kubernetes_ca_cert of Vault's "
        "config",
    ),
    Case(
        "the CA is not PEM",
        CaNotPem,
        lambda scene: scene.change_config(kubernetes_ca_cert="LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"),
        "Vault, auth/ember-k8s/config: has a kubernetes_ca_cert that is not a PEM certificate",
    ),
    Case(
        "the host is another cluster's",
        HostOfAnotherCluster,
        another_host,
        "OpenShift, {host}: kubernetes_host of Vault's config leads, from here, to a cluster that refuses "
        "the reviewer's token which {ours} accepts",
    ),
]

ON_THE_CLUSTER = [
    Case(
        "the namespace is missing",
        NamespaceMissing,
        lambda scene: setattr(scene, "wanted", request(namespaces=("payments", "nowhere"))),
        "OpenShift, namespace nowhere: is not there",
    ),
    Case(
        "the starter ServiceAccount is missing",
        StarterMissing,
        lambda scene: scene.delete_account("web", STARTER),
        f"OpenShift, ServiceAccount web/{STARTER}: is not there",
    ),
    Case(
        "the starter ServiceAccount was made anew",
        StarterRemade,
        starter_remade,
        f"OpenShift, ServiceAccount payments/{STARTER}: was deleted and made anew: its uid is {{new}}, the "
        "client's token is of {old}",
    ),
    Case(
        "the client's token has expired",
        ClientTokenExpired,
        expired_client_token,
        f"OpenShift, token of payments/{STARTER}: expired at {{ended}} UTC; Vault's clock says "
        "{found.vault_clock:%Y-%m-%d %H:%M:%S}",
    ),
    Case(
        "the reviewer has no auth-delegator",
        ReviewerMayNotReview,
        lambda scene: scene.cluster.unbind_reviewer(),
        f"OpenShift, ServiceAccount {ESO}/{REVIEWER}: may not create tokenreviews: it is not bound to "
        "system:auth-delegator",
    ),
    Case(
        "the reviewer's ServiceAccount is missing",
        ReviewerMissing,
        lambda scene: scene.delete_account(ESO, REVIEWER),
        f"OpenShift, ServiceAccount {ESO}/{REVIEWER}: is not there, so the reviewer JWT that Vault has of "
        "it is not accepted",
    ),
    Case(
        "the reviewer's token Secret is missing",
        ReviewerSecretMissing,
        lambda scene: scene.cluster.delete_token_secret(),
        f"OpenShift, {SECRET}: is not there; a token that Vault has of it died with it",
    ),
    Case(
        "the reviewer's token Secret is not filled",
        ReviewerSecretEmpty,
        secret_not_filled,
        f"OpenShift, {SECRET}: has no token: the cluster has not filled it",
    ),
    Case(
        "the client's token is refused",
        ClientTokenRefused,
        refused_client_token,
        f"OpenShift, token of payments/{STARTER}: is refused by the API server that Vault asks: [invalid "
        "bearer token, go-jose/go-jose: error in cryptographic primitive]",
    ),
]

TOKEN = f"OpenShift, reviewer's token ({SECRET})"

OF_THE_TOKEN_TO_WRITE = [
    Case(
        "garbage",
        ReviewerTokenGarbage,
        dead_reviewer_and_secret(lambda scene: "garbage"),
        f"{TOKEN}: is not a JWT",
    ),
    Case(
        "still base64",
        ReviewerTokenStillBase64,
        dead_reviewer_and_secret(lambda scene: base64.b64encode(scene.reviewer_token().encode()).decode()),
        f"{TOKEN}: is still base64: a JWT that was encoded once too often",
    ),
    Case(
        "expired",
        ReviewerTokenExpired,
        dead_reviewer_and_secret(lambda scene: noted(scene, jwt_of(scene, ESO, REVIEWER, lifetime=-600))),
        f"{TOKEN}: expired at {{ended}} UTC",
    ),
    Case(
        "of another ServiceAccount",
        ReviewerTokenOfSomebodyElse,
        dead_reviewer_and_secret(lambda scene: jwt_of(scene, "payments", STARTER)),
        f"{TOKEN}: is of payments/{STARTER}, not of {ESO}/{REVIEWER}",
    ),
    Case(
        "of another cluster",
        ReviewerTokenOfAnotherCluster,
        dead_reviewer_and_secret(
            lambda scene: scene.another_cluster().sign_token(ESO, REVIEWER, lifetime=3600)
        ),
        f"{TOKEN}: was not signed by this cluster (issuer {API}, with another key than that of the tokens "
        "it issues now), which refuses it",
    ),
    Case(
        "of the wrong audience",
        ReviewerTokenOfWrongAudience,
        dead_reviewer_and_secret(lambda scene: jwt_of(scene, ESO, REVIEWER, audiences=["vault"])),
        f"{TOKEN}: is for vault; the API server wants {API}",
    ),
    Case(
        "of a deleted ServiceAccount",
        ReviewerTokenOfFormerAccount,
        dead_reviewer_and_secret(token_of_former_reviewer),
        f"{TOKEN}: is of a deleted ServiceAccount: its uid is {{old}}, that of "
        f"{ESO}/{REVIEWER} now is {{new}}",
    ),
    Case(
        "of right claims and refused",
        ReviewerTokenRefused,
        dead_reviewer_and_secret(lambda scene: otherwise_signed(jwt_of(scene, ESO, REVIEWER))),
        f"{TOKEN}: is refused by the API server (401 Unauthorized), though its claims are right",
    ),
]

CASES = [*IN_VAULT, *IN_THE_SESSION, *ON_THE_WAY, *ON_THE_CLUSTER, *OF_THE_TOKEN_TO_WRITE]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_one_thing_that_is_broken_is_what_is_said(scene: Scene, case: Case) -> None:
    scene.values["api"] = scene.api.url
    case.break_it(scene)
    examination = scene.diagnose()
    rows = "\n".join(map(str, examination.rows))
    assert examination.causes, rows
    found = examination.causes[0]
    assert type(found) is case.cause, rows
    assert found.line == case.line.format(found=found, **scene.values), rows
    assert examination.line == f"{found.line}. {found.remedy}"


def test_whoever_may_list_the_roles_is_told_which_there_are(scene: Scene) -> None:
    role_under_another_name(scene)
    scene.pipeline = scene.admin
    cause = scene.diagnose().causes[0]
    assert cause == RoleMissing(MOUNT, "emea-ops", ("emea-operators",)), "the server lower-cases names"
