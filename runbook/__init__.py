"""What the runbook knows: names, policy texts, wanted state, plan, errors.

Pure: nothing in here opens a file or a socket, and nothing knows Prefect. Everything can be tested with
plain values.
"""
