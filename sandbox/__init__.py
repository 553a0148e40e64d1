"""A whole installation on 127.0.0.1, for `make demo` and the tests.

One module a system. Vault is a real server; GitHub and Kubernetes are stand-ins that speak the real
protocols. Nothing in here imports the pipeline's own rules, so that they cannot agree by accident.
"""
