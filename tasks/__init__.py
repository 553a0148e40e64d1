"""The steps of the runbook, one module a step; each ``@task`` can be retried alone.

Every step has one shape: what we want (from `runbook`), what is there (read), what differs, apply only
that, read back and compare.
"""
