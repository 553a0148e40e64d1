"""The outside world: Vault, OpenShift, the GitOps repository, GitHub.

Typed clients that turn each system's answers into values and into the errors of `runbook.errors`. They
know nothing of Prefect and make no decision of the runbook.
"""
