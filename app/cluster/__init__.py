"""Several workers that answer as one: who holds a row, and how the others get it."""
