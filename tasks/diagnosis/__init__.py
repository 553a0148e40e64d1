"""The questions of the diagnosis: one module a system, each writing what it learns into the findings.

Nothing in here changes anything: reads, reviews, tokens that leave no object, and logins whose sessions are
revoked at once.
"""
