"""Whether live scoring and a backfill say the same of every revision of a dump."""
