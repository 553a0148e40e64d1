"""Causes on the way from Vault to the cluster's API server: the config's host and CA.

All but the first two are seen from where the pipeline runs. Vault may sit in another network: what is
unreachable from here may be reachable from there, and the other way round; the lines say so.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.diagnosis.cause import Cause

_POINT_VAULT = (
    "Correct host_for_vault of the ClusterConnection, and run enable-cluster again: it rewrites the config."
)
_GIVE_CA = (
    "Put the CA that signed the API server's certificate into ca_cert_for_vault of the ClusterConnection, "
    "and run enable-cluster again."
)


@dataclass(frozen=True, slots=True)
class HostWithoutScheme(Cause):
    """The config's host is not an https URL"""

    mount: str
    host: str

    @property
    def subject(self) -> str:
        return f"auth/{self.mount}/config"

    @property
    def answer(self) -> str:
        return f"has kubernetes_host={self.host}, which is not https://host[:port]"

    @property
    def remedy(self) -> str:
        return _POINT_VAULT


@dataclass(frozen=True, slots=True)
class CaNotPem(Cause):
    """The config's CA is not PEM"""

    mount: str

    @property
    def subject(self) -> str:
        return f"auth/{self.mount}/config"

    @property
    def answer(self) -> str:
        return "has a kubernetes_ca_cert that is not a PEM certificate"

    @property
    def remedy(self) -> str:
        return _GIVE_CA


@dataclass(frozen=True, slots=True)
class HostUnreachable(Cause):
    """Nothing listens at the config's host, or its name is not known"""

    system = "OpenShift"
    host: str
    why: str

    @property
    def subject(self) -> str:
        return self.host

    @property
    def answer(self) -> str:
        return f"kubernetes_host of Vault's config does not answer from here ({self.why})"

    @property
    def remedy(self) -> str:
        return (
            "Try the same from where Vault runs. If it is silent there too, open the way (firewall, DNS), or "
            "correct host_for_vault of the ClusterConnection and run enable-cluster again."
        )


@dataclass(frozen=True, slots=True)
class HostHangs(Cause):
    """The config's host does not answer in time"""

    system = "OpenShift"
    host: str
    seconds: float

    @property
    def subject(self) -> str:
        return self.host

    @property
    def answer(self) -> str:
        return f"kubernetes_host of Vault's config hangs: from here no TLS answer in {self.seconds:.0f} s"

    @property
    def remedy(self) -> str:
        return (
            "Look for a firewall that drops packets, or a load balancer without a live API server behind it; "
            "try the same from where Vault runs."
        )


@dataclass(frozen=True, slots=True)
class HostSpeaksNoTls(Cause):
    """What listens at the config's host does not speak TLS"""

    system = "OpenShift"
    host: str

    @property
    def subject(self) -> str:
        return self.host

    @property
    def answer(self) -> str:
        return "kubernetes_host of Vault's config leads, from here, to something that does not speak TLS"

    @property
    def remedy(self) -> str:
        return _POINT_VAULT


@dataclass(frozen=True, slots=True)
class HostNotInCertificate(Cause):
    """The certificate is not valid for the config's host"""

    system = "OpenShift"
    host: str
    names: tuple[str, ...]

    @property
    def subject(self) -> str:
        return self.host

    @property
    def answer(self) -> str:
        return (
            "kubernetes_host of Vault's config is not in the API server's certificate, which is for "
            f"{', '.join(self.names) or 'no name at all'}"
        )

    @property
    def remedy(self) -> str:
        return (
            "Set host_for_vault of the ClusterConnection to one of these names, and run enable-cluster again."
        )


@dataclass(frozen=True, slots=True)
class CaDidNotSign(Cause):
    """The config's CA is not the one that signed the certificate"""

    system = "OpenShift"
    host: str

    @property
    def subject(self) -> str:
        return self.host

    @property
    def answer(self) -> str:
        return "the certificate seen from here was not signed by kubernetes_ca_cert of Vault's config"

    @property
    def remedy(self) -> str:
        return _GIVE_CA


@dataclass(frozen=True, slots=True)
class CertificateOutOfDate(Cause):
    """The API server's certificate has expired, or is not valid yet"""

    system = "OpenShift"
    host: str
    problem: str

    @property
    def subject(self) -> str:
        return self.host

    @property
    def answer(self) -> str:
        return f"the API server's certificate is not valid now ({self.problem})"

    @property
    def remedy(self) -> str:
        return "Have the cluster's operators renew it, and compare the clocks."


@dataclass(frozen=True, slots=True)
class HostOfAnotherCluster(Cause):
    """The config's host is the API server of another cluster"""

    system = "OpenShift"
    host: str
    ours: str

    @property
    def subject(self) -> str:
        return self.host

    @property
    def answer(self) -> str:
        return (
            "kubernetes_host of Vault's config leads, from here, to a cluster that refuses the reviewer's "
            f"token which {self.ours} accepts"
        )

    @property
    def remedy(self) -> str:
        return _POINT_VAULT
