"""Composition root: settings, command line, logging, metrics and the read API."""
