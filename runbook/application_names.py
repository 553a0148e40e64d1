"""What ArgoCD calls the Applications that somebody has to sync.

Any kustomization above them may give them a prefix or a suffix, so only a build of the repository tells their
names. Who has no build speaks of what they deploy, which is true whatever they are called.
"""

from __future__ import annotations

from dataclasses import dataclass

APP_OF_APPS = "the Application that deploys this cluster's Applications"
RESOURCES = "the Application that deploys this cluster's overlay"
OPERATOR = "the Application that deploys external-secrets to this cluster"
INSTALLING = "the Application that brings the operator to this cluster"
BY_OTHERS = "what others install the operator with"


@dataclass(frozen=True, slots=True)
class ApplicationNames:
    """The names as they are built; in words where no build tells them."""

    app_of_apps: str = APP_OF_APPS
    """Makes the other two."""
    resources: str = RESOURCES
    """Deploys the cluster's overlay."""
    operator: str = OPERATOR
    """Deploys the operator's overlay."""
    installing: str = INSTALLING
    """Brings the operator."""
    namespace: str = INSTALLING
    """Brings the operator's namespace, and the reviewer's binding."""

    def put_into(self, text: str) -> str:
        """A text that speaks of these Applications in our words, with their names instead."""
        names = {RESOURCES: self.resources, OPERATOR: self.operator, INSTALLING: self.namespace}
        for words, name in names.items():
            text = text.replace(words, name)
        return text


IN_WORDS = ApplicationNames()
