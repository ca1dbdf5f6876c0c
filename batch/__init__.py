"""Dumps in: read them, serve revisions from them, generate the sample."""
