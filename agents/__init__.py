"""Stream glue: decode, decide, fetch, score, upsert, emit."""
