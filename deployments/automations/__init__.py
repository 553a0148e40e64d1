"""Automations of the Prefect server: one YAML file each, created or updated by one command.

    python -m deployments.automations

The files have the form that ``prefect automation create --from-file`` takes. Where Prefect wants the id of a
deployment, ours have its name, ``<flow>/<deployment>``: ids differ from server to server. ``--print`` writes
them with the ids filled in.
"""
