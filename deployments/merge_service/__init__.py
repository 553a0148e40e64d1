"""The merge service: wakes the runs that wait at the gate, within seconds after their change has landed.

One process, started with ``python -m deployments.merge_service``. GitHub's deliveries tell it when to look,
and once a minute it looks anyway; what it finds decides, never what a delivery says. Losing it costs minutes:
the deployment ``watch-merges`` is the net under it.
"""
