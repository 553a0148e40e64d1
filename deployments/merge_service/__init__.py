"""The merge service: wakes the runs that wait at the gate, within seconds after their change has landed.

One process, started with ``python -m deployments.merge_service``. GitHub's deliveries tell it when to look,
and once a minute it looks anyway; what it finds decides, never what a delivery says. It also revives runs
that a killed worker left in Pending. Losing it costs minutes: the deployment ``watch-merges`` is the net
under it.

    settings       what it is told, and whether that will do
    deliveries     which deliveries were seen already, across restarts
    payloads       what a delivery may say, and whether it concerns us
    webhook        the HTTP side: takes a delivery or says why not; health
    clients        slow and idle clients, which must not keep others out
    quiet_log      what strangers cause, as one line a minute
    repositories   the repositories that the connections name
    schedule       when to look next, at what
    loop           the one thread that looks
    stuck          runs in Pending that nobody starts any more
    service        all of it together, as one thing that starts and stops
"""
