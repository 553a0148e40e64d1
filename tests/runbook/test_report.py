"""What the first line of a report says."""

from __future__ import annotations

from runbook.report import NOT_SEEN, READY, Proof, headline
from runbook.request import EnableRequest
from tests.tables import table

WANTED = EnableRequest(cluster="ember", env="emea", namespaces=("payments", "web"))
LOGIN = Proof("payments/vault-secret-fetcher logs in at ember-k8s", True, "200")
UNSEEN = Proof("SecretStore payments/opf-vault-store is Ready", None, "no ESO on this cluster", NOT_SEEN)
WORKS = Proof("SecretStore web/opf-vault-store is Ready", True, "store validated", READY)
ELSEWHERE = Proof("SecretStore web/opf-vault-store is Ready", None, "not proved", "web/s points elsewhere")


@table(
    "proofs, words",
    {
        "ready": ((LOGIN, WORKS, WORKS), "emea/ember reads its secrets from Vault"),
        "no operator": (
            (LOGIN, UNSEEN, UNSEEN),
            "Vault accepts logins of emea/ember; the operator was not seen",
        ),
        "no store was looked at": ((LOGIN,), "Vault accepts logins of emea/ember; the operator was not seen"),
        "one of two": (
            (LOGIN, WORKS, ELSEWHERE),
            "Vault accepts logins of emea/ember; web/s points elsewhere",
        ),
    },
)
def test_the_headline_says_what_was_proved(proofs: tuple[Proof, ...], words: str) -> None:
    assert headline(WANTED, proofs) == words
