"""The pipeline's own account on a cluster."""
