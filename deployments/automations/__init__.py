"""Automations of the Prefect server: one YAML file each, created or updated by one command.

    python -m deployments.automations

The files have the form of Prefect's API, but where that wants the id of a deployment, ours have its name,
``<flow>/<deployment>``: ids differ from server to server. The names of our flows are filled in, too.
"""
