"""The gate: a run is suspended until its change is on the base branch, and woken when a look is worth it."""
