"""Why a login does not work: the causes, what a token and our records say, and how the answers are weighed.

Pure: the systems are asked in `tasks.diagnosis`. A new cause is a frozen dataclass in one of these modules,
in `CAUSES`, in ``docs/diagnosis.md``, and in the test that makes it happen.
"""

from __future__ import annotations

from runbook.diagnosis.cause import Cause
from runbook.diagnosis.in_the_session import (
    PolicyLacksRule,
    PolicyMissing,
    PolicyNotHandedOut,
    SecretsMountMissing,
    SessionReadsTooMuch,
)
from runbook.diagnosis.in_vault import (
    AddressNotAllowed,
    AudienceNotInToken,
    ConfigNeverWritten,
    MountMissing,
    MountOfAnotherType,
    NameNotBound,
    NamespaceNotBound,
    RoleMissing,
    VaultSealed,
    VaultUnreachable,
)
from runbook.diagnosis.on_the_cluster import (
    ClientTokenExpired,
    ClientTokenRefused,
    NamespaceMissing,
    ReviewerMayNotReview,
    ReviewerMissing,
    StarterMissing,
    StarterRemade,
    StoreMissing,
    StoreNotReady,
)
from runbook.diagnosis.on_the_way import (
    CaDidNotSign,
    CaNotPem,
    CertificateOutOfDate,
    HostHangs,
    HostNotInCertificate,
    HostOfAnotherCluster,
    HostSpeaksNoTls,
    HostUnreachable,
    HostWithoutScheme,
)
from runbook.diagnosis.reviewer_token import (
    ReviewerJwtNotAccepted,
    ReviewerJwtNotSet,
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
)
from runbook.diagnosis.unexplained import CauseNotFound, LoginNotTried

CAUSES: tuple[type[Cause], ...] = (
    VaultUnreachable,
    VaultSealed,
    MountMissing,
    MountOfAnotherType,
    RoleMissing,
    AddressNotAllowed,
    ConfigNeverWritten,
    NamespaceMissing,
    StarterMissing,
    StarterRemade,
    ClientTokenExpired,
    AudienceNotInToken,
    NameNotBound,
    NamespaceNotBound,
    ReviewerJwtNotSet,
    HostWithoutScheme,
    CaNotPem,
    HostUnreachable,
    HostHangs,
    HostSpeaksNoTls,
    HostNotInCertificate,
    CaDidNotSign,
    CertificateOutOfDate,
    HostOfAnotherCluster,
    ReviewerMissing,
    ReviewerMayNotReview,
    ReviewerSecretMissing,
    ReviewerSecretEmpty,
    ReviewerTokenGarbage,
    ReviewerTokenStillBase64,
    ReviewerTokenExpired,
    ReviewerTokenOfSomebodyElse,
    ReviewerTokenOfAnotherCluster,
    ReviewerTokenOfWrongAudience,
    ReviewerTokenOfFormerAccount,
    ReviewerTokenRefused,
    ClientTokenRefused,
    ReviewerJwtNotAccepted,
    LoginNotTried,
    CauseNotFound,
    PolicyNotHandedOut,
    PolicyMissing,
    PolicyLacksRule,
    SessionReadsTooMuch,
    SecretsMountMissing,
    StoreNotReady,
    StoreMissing,
)
"""The closed set, in the order in which the questions are asked."""
