"""How any change is planned, approved, recorded and waited for. Knows Prefect, and nothing of clusters."""
