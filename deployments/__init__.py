"""How the pipeline is run: connections, automations, manifests, the sandbox. Nothing imports this."""
