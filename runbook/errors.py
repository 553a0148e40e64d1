"""Everything that can go wrong, in one tree.

    EnablementError
    ├── TransientError              retried with backoff, worth trying again as it is
    │   ├── Unreachable             no answer: refused, reset, timed out, name not found
    │   ├── Busy                    429, 5xx, a sealed or standby Vault, a lock held by another push
    │   │   └── MadeMeanwhile       somebody made the same object between our read and our write
    │   └── NotYetSynced            the change is merged, the cluster does not have it yet
    └── PermanentError              fails at once; somebody has to do something
        ├── InvalidInput            a parameter or a connection field is wrong
        ├── AccessDenied            403: our credentials do not reach
        │   └── NotAuthenticated    401: the system does not know us
        ├── PrerequisiteMissing     something that must be there before us is not
        ├── Conflict                something of somebody else's is in the way; never overwritten
        │   └── OthersCommits       on the branch that we propose, and the wanted change is not in it
        ├── NotMerged               the pull request was closed, or not merged in the time that was given
        ├── PlanMoved               what would be written now is not what was approved
        ├── UnexpectedAnswer        a system answered what it never should
        ├── CertificateNotTrusted   TLS works, trust does not
        └── VerificationFailed      everything was written, and the proof failed

An error says which system was asked, about what, what it answered and what to do now. It never carries a
secret: callers pass answers through, and answers of the systems we talk to do not echo credentials; what
might (a URL with a password, a request body) is not given to an error. Its text is fit for a log.
"""

from __future__ import annotations

from runbook.foreign_text import plain


class EnablementError(Exception):
    """Base of all errors of the pipeline.

    Args:
        system: who was asked: ``"Vault"``, ``"OpenShift"``, ``"GitHub"``, ``"Git"`` or ``"input"``.
        subject: about what, as an operator would name it: ``"policy moc-kv-r"``.
        answer: what came back, in the system's own words where there are any.
        remedy: what a person does now, one sentence in the imperative.
        maybe_done: of a request that changes something: whether the system may have carried it out all the
            same. False where it said no.
        retry_after: seconds after which the server wants to be asked again, where it named a time.
    """

    maybe_done: bool = False
    retry_after: float | None = None

    def __init__(
        self,
        system: str,
        subject: str,
        answer: str,
        remedy: str,
        *,
        maybe_done: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.system = system
        self.subject = plain(subject)
        self.answer = plain(answer)
        self.remedy = plain(remedy, keep="\n")
        self.retry_after = retry_after
        if maybe_done is not None:
            self.maybe_done = maybe_done
        # Prefect pickles the exceptions of failed runs. Python then calls the class with these arguments,
        # and sets the attributes as they are here.
        super().__init__(self.system, self.subject, self.answer, self.remedy)

    def __str__(self) -> str:
        return f"{self.system}, {self.subject}: {self.answer.rstrip('.')}. {self.remedy}"

    def __repr__(self) -> str:
        # What Prefect logs of a failed try.
        return f"{type(self).__name__}: {self}"


class TransientError(EnablementError):
    """Worth trying again without any change."""


class Unreachable(TransientError):
    """No answer at all, or none that came to its end: what was asked may have been done."""

    maybe_done = True


class Busy(TransientError):
    """An answer that means "later": 429, 5xx, sealed, standby, locked."""


class MadeMeanwhile(Busy):
    """Somebody made the same object between our read and our write: look again, and compare."""


class NotYetSynced(TransientError):
    """The change is on the base branch, but the cluster does not have it yet."""


class PermanentError(EnablementError):
    """Trying again as it is cannot help."""


class InvalidInput(PermanentError):
    """A parameter or a field of a connection is wrong."""


class AccessDenied(PermanentError):
    """Our credentials do not reach far enough. Vault says so, too, of a token that has ended."""


class NotAuthenticated(AccessDenied):
    """Our credentials are not accepted: 401, which Kubernetes and GitHub tell apart from a missing right."""


class PrerequisiteMissing(PermanentError):
    """Something that must be there before us is not."""


class Conflict(PermanentError):
    """Something of somebody else's is in the way. It is never overwritten."""


class OthersCommits(Conflict):
    """Other people's commits are on the branch that we propose, and the wanted change is not in it."""


class NotMerged(PermanentError):
    """The change was refused: closed without a merge, or not merged in the time that was given."""


class PlanMoved(PermanentError):
    """What would be written now is not a part of the plan that was approved."""


class UnexpectedAnswer(PermanentError):
    """An answer that the system's documentation does not allow for."""


class CertificateNotTrusted(PermanentError):
    """A TLS certificate whose chain or host name does not check out."""


class VerificationFailed(PermanentError):
    """Everything was written, and the proof that it works failed."""
