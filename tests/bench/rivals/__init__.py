"""Servers that others would run for the same look-ups, for the benchmark beside them."""
