"""Scores the revisions of dumps: planned, cut into chunks, scored on all cores, resumed after a crash."""
