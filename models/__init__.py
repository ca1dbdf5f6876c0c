"""Scorers: store, verify, train and run them. `(revision) -> Score`, no engine, no network."""
