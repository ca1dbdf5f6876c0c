"""Pages for people: what is scored, how well, and how the process does."""
