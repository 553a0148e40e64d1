"""The sandbox's GitOps agent: what the merged branch says is what the cluster gets.

Plays ArgoCD (app-of-apps, rendering, order, dry-run rule) and the lifecycle of the operator (a Subscription
makes the CRDs appear) for one cluster. Run it with ``python -m sandbox.gitops_agent``.
"""

from sandbox.gitops_agent.agent import GitOpsAgent
from sandbox.gitops_agent.options import Options

__all__ = ["GitOpsAgent", "Options"]
