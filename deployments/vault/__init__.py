"""The pipeline's own rights in Vault."""
