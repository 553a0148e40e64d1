"""Prefect Blocks: where each system is and as whom we log in. They hand out the clients of `systems`."""
