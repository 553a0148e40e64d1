"""Measurements, printed as one table: ``python -m bench``, in short `make bench`."""
