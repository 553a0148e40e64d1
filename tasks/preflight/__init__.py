"""Step: find out everything that can be known before the first change."""
